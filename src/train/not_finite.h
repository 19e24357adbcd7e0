// Where a step went wrong.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace hadal::train {

/// Says which input, or else which node is the first whose result is not finite though its operands are, by the plain
/// reference: "node 'exp1' is the first whose result is not finite".
std::string first_not_finite(const graph::Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace hadal::train
