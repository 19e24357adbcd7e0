#include "train/not_finite.h"

#include <cmath>

namespace hadal::train {

namespace {

bool is_finite(const Tensor& tensor) {
  if (!is_float(tensor.dtype)) return true;
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (!std::isfinite(number_at(tensor, i))) return false;
  return true;
}

}  // namespace

std::string first_not_finite(const graph::Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<bool> finite(graph.values.size(), true);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!is_finite(inputs[i]))
      return fmt::format("'{}' is not finite before the step", printable(graph.value(graph.inputs[i]).name));
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].constant) finite[v] = is_finite(*graph.values[v].constant);
  graph::Graph all = graph;  // Every result is looked at.
  all.outputs.clear();
  for (const graph::Node& node : graph.nodes)
    all.outputs.insert(all.outputs.end(), node.outputs.begin(), node.outputs.end());
  const auto results = graph::evaluate(all, inputs);
  if (!results) return results.error().message;
  for (size_t i = 0; i < all.outputs.size(); ++i)
    finite[static_cast<size_t>(all.outputs[i])] = is_finite((*results)[i]);
  for (const graph::Node& node : graph.nodes) {
    bool operands = true, made = true;
    for (const graph::ValueId v : node.inputs)
      operands = operands && (v == graph::absent || finite[static_cast<size_t>(v)]);
    for (const graph::ValueId v : node.outputs) made = made && finite[static_cast<size_t>(v)];
    if (operands && !made)
      return fmt::format("node '{}' ({}) is the first whose result is not finite", printable(node.origins[0]),
                         node.op->name);
  }
  return "no node of the plain reference gives such a result";
}

}  // namespace hadal::train
