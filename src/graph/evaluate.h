// Reference evaluation that can be watched.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"

namespace hadal::graph {

/// Told each result when it is made; it may put another tensor of the same type in its place, for the nodes behind.
using See = std::function<void(ValueId value, Tensor& result)>;

/// Evaluates the graph with each op's reference. Errors: graph.inputs, graph.absent, graph.reference.
Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs, const See& see);

}  // namespace hadal::graph
