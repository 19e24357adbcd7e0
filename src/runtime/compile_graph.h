// A graph that comes from no file: a step of training.
#pragma once

#include "graph/graph.h"
#include "runtime/load.h"

namespace hadal::runtime {

/// Compiles a graph for the source's chip, with its profile and precision; schedules are tried on the timing machine.
/// Errors: those of the chip file and of compilation.
Result<Loaded> compile_graph(graph::Graph graph, const Source& source);

}  // namespace hadal::runtime
