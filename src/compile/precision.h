#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Stores every float of the graph as `precision`: inputs, constants and results. Statistics and chains compute in f32
/// all the same. Casts between float types vanish. Errors: precision.type where the type is no float.
Status set_precision(graph::Graph& graph, DType precision);

}  // namespace hadal::compile
