// What a gradient rule works with: one node, seen from its results.
#pragma once

#include <map>

#include "graph/term.h"

namespace hadal::graph {

/// Gradients of a scalar loss by value, as far as they are summed.
using Gradients = std::map<ValueId, ValueId>;

class Backward {
 public:
  /// `wanted` tells of each operand whether a gradient is asked for.
  Backward(Builder& builder, Node seen, std::vector<bool> wanted, Gradients& gradients)
      : b(builder), node(std::move(seen)), wanted_(std::move(wanted)), gradients_(gradients) {}

  Builder& b;
  const Node node;  ///< A copy: the graph's nodes move as it grows.

  [[nodiscard]] bool has(size_t operand) const {
    return operand < node.inputs.size() && node.inputs[operand] != absent;
  }
  [[nodiscard]] bool wants(size_t operand) const { return has(operand) && wanted_[operand]; }
  [[nodiscard]] Term in(size_t operand) const { return {&b, node.inputs[operand]}; }
  [[nodiscard]] Term out(size_t result = 0) const { return {&b, node.outputs[result]}; }
  /// The loss's gradient by a result, of the result's type. The first result of a node has one, or its rule is not
  /// asked.
  [[nodiscard]] Term upstream(size_t result = 0) const { return {&b, gradients_.at(node.outputs[result])}; }

  /// Adds to an operand's gradient, if it is wanted. What was broadcast is summed, and the type is the operand's.
  void give(size_t operand, const Term& gradient);

 private:
  std::vector<bool> wanted_;
  Gradients& gradients_;
};

}  // namespace hadal::graph
