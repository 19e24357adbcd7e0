// Rewrites of a graph that keep what it computes, to a fixed point.
#pragma once

#include "graph/graph.h"

namespace hadal::graph {

/// All passes below, in order, until none changes the graph; then `compact`. Origins of removed nodes move to the nodes
/// that stand for them. Constants without bytes are folded to constants without bytes, so the result's structure is the
/// same with and without weights. Errors: of Graph::add (a rule that makes an ill-typed node is a defect of the rule).
Status simplify(Graph& graph);

// One file each, src/graph/simplify/NAME.cpp. Each returns whether it changed anything.
Result<bool> fold_constants(Graph& graph);     ///< Nodes of constants, if the result is <= 4 KiB or <= its operands.
Result<bool> remove_identities(Graph& graph);  ///< x*1, x+0 (integers), cast to the same type, reshape twice, ...
Result<bool> match_patterns(Graph& graph);     ///< Normalisation, GELU, SiLU, hard-swish from their pieces.
Result<bool> fold_convolutions(Graph& graph);  ///< conv(x, w) * s + t: batch norm into weights and bias.
Result<bool> spread_taps(Graph& graph);        ///< conv_transpose without overlaps: conv by single pixels.
Result<bool> share_equal_nodes(Graph& graph);  ///< Equal op, operands and attributes: one node.

/// Removes nodes that no output needs and values that no node uses; renumbers. Origins of dead nodes are dropped unless
/// a reader took them.
void compact(Graph& graph);

/// Adds `from` to a node's origins; the first stays first. Costs what the shorter list has.
void append_origins(std::vector<std::string>& to, std::vector<std::string> from);

}  // namespace hadal::graph
