// Groups: what becomes one phase. A main op with the element-wise work behind it, or element-wise work alone.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "isa/program.h"

namespace hadal::compile {

struct Group {
  int main = -1;                        ///< Node whose result enters the chain as stream 0; -1: none.
  std::vector<int> nodes;               ///< All nodes, ascending; the last makes the result.
  isa::Chain chain;                     ///< No steps: the main op's result is the group's.
  std::vector<graph::ValueId> streams;  ///< Operands of the chain, behind the main op's result.
  graph::ValueId result = graph::absent;
  /// Of an attention, whose main op multiplies the values: the groups of the scores and of their softmax.
  std::vector<Group> before{};
  /// Of scores that a constant masks at last, as a causal one does: row i sees none of the columns behind i + reach,
  /// and columns up to i + clear stay as they are. The mask is the last stream, and takes so many steps.
  int64_t reach = INT64_MAX, clear = INT64_MIN;
  size_t mask_steps = 0;
};

/// Partitions the nodes into groups, in an order in which operands are made before they are used.
/// Without `epilogues`, a convolution stays alone.
std::vector<Group> fuse(const graph::Graph& graph, bool epilogues = true);

/// Whether a product's operand, or its scales, are matrices of a table [tables, k, n], one for each of the product's
/// batch by an index that is read for them alone: then no copy of them need be made.
bool looks_up_matrices(const graph::Graph& graph, const graph::Node& node, size_t input);

/// The same groups with those of an attention as one.
std::vector<Group> join_attention(const graph::Graph& graph, std::vector<Group> groups);

/// The same groups so that neighbours depend on each other as little as may be, the longest way first.
std::vector<Group> in_order(const graph::Graph& graph, std::vector<Group> groups);

/// Text, one group a line.
std::string text_of(const graph::Graph& graph, const std::vector<Group>& groups);

}  // namespace hadal::compile
