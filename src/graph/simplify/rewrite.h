// One sweep over a graph's nodes in order, with the edits that rules make. No recursion: chains may be long.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "graph/ops.h"

namespace hadal::graph {

/// The nodes visited so far stand in `graph.nodes`; a rule looks back at them and edits the one it is shown.
class Rewrite {
 public:
  explicit Rewrite(Graph& target);

  Graph& graph;

  /// The node that makes v, or null for inputs and constants (and, with `op`, for nodes of other ops).
  [[nodiscard]] const Node* maker(ValueId v) const;
  [[nodiscard]] const Node* maker(ValueId v, const Op& op) const;
  [[nodiscard]] const Shape& shape(ValueId v) const { return graph.type(v).shape; }
  [[nodiscard]] bool is_output(ValueId v) const { return outputs_[static_cast<size_t>(v)]; }
  [[nodiscard]] int64_t readers(ValueId v) const { return readers_[static_cast<size_t>(v)]; }
  /// One node reads v, and it is no output.
  [[nodiscard]] bool single(ValueId v) const { return readers(v) == 1 && !is_output(v); }
  /// The data of a constant of at most 4 KiB, else null: structure may not depend on larger ones.
  [[nodiscard]] const Tensor* small_constant(ValueId v) const;
  /// The number that all elements of a small constant have.
  [[nodiscard]] std::optional<double> uniform(ValueId v) const;

  /// Makes `node` compute its results in another way. Nodes that nothing reads any more hand it their origins.
  void edit(Node& node, const Op& op, std::vector<ValueId> inputs, Attributes attributes);
  /// `node`, which has one result, gives way to v. False if v cannot stand for an output of the graph.
  bool give_way(Node& node, ValueId v);
  /// `node`'s results are these constants.
  void become_constants(Node& node, std::vector<Tensor> tensors);
  /// A new node before the one being visited.
  Result<ValueId> add(const Op& op, const std::vector<ValueId>& inputs, Attributes attributes, const Node& origin);
  ValueId add_constant(Tensor tensor, const Node& origin);

  /// A rule returns true if it removed the node.
  using Rule = std::function<Result<bool>(Rewrite&, Node&)>;
  /// Shows every node to the rule, then compacts. Returns whether anything changed.
  static Result<bool> sweep(Graph& graph, const Rule& rule);

 private:
  void use(ValueId v, int64_t count = 1);
  void release(std::vector<ValueId> values, std::vector<std::string>& heir);
  [[nodiscard]] ValueId resolved(ValueId v) const;
  void emit(Node node);

  bool changed_ = false;
  std::vector<Node> old_;
  std::vector<int64_t> readers_;
  std::vector<bool> outputs_;
  std::vector<ValueId> stands_for_;  ///< What reads of a value are to read instead; itself, as a rule.
  std::unordered_map<ValueId, std::vector<std::string>>
      waiting_;  ///< Origins for the first reader of an input or constant.
};

}  // namespace hadal::graph
