// A graph that comes from no file: a step of training.
#pragma once

#include "compile/plan.h"
#include "graph/graph.h"
#include "runtime/load.h"

namespace hadal::runtime {

/// Compiles a graph for the source's chip, with its profile and precision; schedules are tried on the timing machine.
/// Errors: those of the chip file and of compilation. `kernels`: of its nodes that are kernels.
Result<Loaded> compile_graph(graph::Graph graph, const Source& source,
                             const compile::KernelPrograms* kernels = nullptr);

}  // namespace hadal::runtime
