#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Stores every float of the graph as `precision`: inputs, constants and results. Statistics and chains compute in f32
/// all the same. Casts between float types vanish. Integers have no scales: they serve time alone, and with `values`
/// are the error precision.type.
Status set_precision(graph::Graph& graph, DType precision, bool values);

}  // namespace hadal::compile
