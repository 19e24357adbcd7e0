#include "graph/differentiate.h"

#include <algorithm>

#include "graph/backward.h"

namespace hadal::graph {

namespace {

size_t at(ValueId v) { return static_cast<size_t>(v); }

/// Which values depend on any of `by` through floats.
std::vector<bool> dependents_of(const Graph& graph, const Values& by) {
  std::vector<bool> depends(graph.values.size());
  for (const ValueId v : by) depends[at(v)] = true;
  for (const Node& node : graph.nodes) {
    bool any = false;
    for (const ValueId v : node.inputs) any = any || (v != absent && depends[at(v)]);
    for (const ValueId v : node.outputs) depends[at(v)] = any && is_float(graph.type(v).dtype);
  }
  return depends;
}

/// Asks a node's rule, if its first result has a gradient and an operand wants one.
void step_back(Builder& b, const Node& node, const std::vector<bool>& depends, Gradients& gradients) {
  if (!gradients.contains(node.outputs[0])) return;
  std::vector<bool> wanted;
  for (const ValueId v : node.inputs) wanted.push_back(v != absent && depends[at(v)]);
  if (std::find(wanted.begin(), wanted.end(), true) == wanted.end()) return;
  if (!node.op->gradient)
    throw Failure{Error{"gradient.missing", fmt::format("{} has no gradient", node.op->name),
                        fmt::format("node {}", printable(node.origins[0])), "freeze what comes before it"}};
  b.begin_origin(node.origins[0] + ".gradient");
  Backward backward(b, node, std::move(wanted), gradients);
  node.op->gradient(backward);
}

}  // namespace

void Backward::give(size_t operand, const Term& gradient) {
  if (!wants(operand)) return;
  const Shape shape = in(operand).shape(), given = gradient.shape();
  const size_t more = given.size() - shape.size();
  Integers axes;
  for (size_t i = 0; i < given.size(); ++i)
    if (i < more || (shape[i - more] == 1 && given[i] != 1)) axes.push_back(static_cast<int64_t>(i));
  Term share = gradient;
  if (!axes.empty()) share = share.reduced("sum", axes);
  share = share.reshaped(shape).as(in(operand).dtype());
  const auto [sum, is_first] = gradients_.emplace(node.inputs[operand], share.id);
  if (!is_first) sum->second = (Term{&b, sum->second} + share).id;
}

Values differentiate(Builder& b, ValueId loss, const Values& by) {
  if (elements(b.shape(loss)) != 1 || !is_float(b.dtype(loss)))
    fail("gradient.loss", "a loss is one float, found {} of {}", name_of(b.dtype(loss)), hadal::text_of(b.shape(loss)));
  const std::vector<bool> depends = dependents_of(b.graph, by);
  b.begin_origin("loss.gradient");
  Gradients gradients{{loss, Term{&b, b.scalar(b.dtype(loss), 1)}.reshaped(b.shape(loss)).id}};
  for (size_t n = b.graph.nodes.size(); n-- > 0;) {
    const Node node = b.graph.nodes[n];
    step_back(b, node, depends, gradients);
  }
  Values out;
  for (const ValueId v : by) out.push_back(gradients.contains(v) ? gradients.at(v) : absent);
  return out;
}

}  // namespace hadal::graph
