// conv(x, w) * s + t, with one value a channel: batch norm becomes part of the weights and the bias.
#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

/// Results of op on constants, without values if an operand has none.
Result<Tensor> computed(const Op& op, const Tensor& a, const Tensor& b) {
  const Type p{a.dtype, a.shape}, q{b.dtype, b.shape};
  HADAL_TRY(const std::vector<Type> types, op.infer({&p, &q}, {}));
  if (a.bytes.view.empty() || b.bytes.view.empty()) return Tensor{types[0].dtype, types[0].shape, {}};
  return op.reference({&a, &b}, {}, types)[0];
}

Tensor negated(const Tensor& x) {
  const Type type{x.dtype, x.shape};
  if (x.bytes.view.empty()) return x;
  return ops::neg.reference({&x}, {}, {type})[0];
}

/// A constant that has one value for each of `channels` (or for all of them), against [N,C,spatial...], as [C].
std::optional<Tensor> per_channel(const Rewrite& rewrite, ValueId v, int64_t rank, int64_t channels) {
  if (!rewrite.graph.is_constant(v)) return std::nullopt;
  Tensor tensor = *rewrite.graph.value(v).constant;
  Shape aligned(static_cast<size_t>(rank), 1);
  if (tensor.shape.size() > aligned.size()) return std::nullopt;
  std::copy(tensor.shape.begin(), tensor.shape.end(), aligned.end() - static_cast<int64_t>(tensor.shape.size()));
  const int64_t extent = aligned[1];
  if (elements(aligned) != extent || (extent != 1 && extent != channels)) return std::nullopt;
  tensor.shape = {extent};
  if (extent == channels) return tensor;
  const Type to{tensor.dtype, {channels}};
  if (tensor.bytes.view.empty()) return Tensor{to.dtype, to.shape, {}};
  return ops::broadcast.reference({&tensor}, {{"shape", to.shape}}, {to})[0];
}

/// [C] as the shape that broadcasts over the filters of w: [O,C/g,k...] of conv, [C,O,k...] of conv_transpose.
Tensor over_filters(Tensor values, const Shape& w, bool transposed) {
  Shape shape(w.size(), 1);
  shape[transposed ? 1 : 0] = values.shape[0];
  values.shape = shape;
  return values;
}

Result<bool> fold(Rewrite& rewrite, Node& node) {
  const bool scales = node.op == &ops::mul || node.op == &ops::div;
  if (!scales && node.op != &ops::add && node.op != &ops::sub) return false;
  const bool commutes = node.op == &ops::mul || node.op == &ops::add;
  size_t which = 0;
  const auto is_conv = [&](ValueId v) { return rewrite.maker(v, ops::conv) || rewrite.maker(v, ops::conv_transpose); };
  if (!is_conv(node.inputs[0])) which = 1;
  if (which == 1 && (!commutes || !is_conv(node.inputs[1]))) return false;
  const Node conv = *rewrite.maker(node.inputs[which]);
  const Graph& graph = rewrite.graph;
  const bool transposed = conv.op == &ops::conv_transpose;
  if (!rewrite.single(node.inputs[which]) || !graph.is_constant(conv.inputs[1])) return false;
  if (transposed && scales && conv.attributes.integer("groups", 1) != 1) return false;
  const ValueId bias = conv.inputs.size() > 2 ? conv.inputs[2] : absent;
  if (bias != absent && !graph.is_constant(bias)) return false;
  const Type result = graph.type(node.outputs[0]);
  if (result != graph.type(conv.outputs[0]) || !is_float(result.dtype)) return false;

  const auto values =
      per_channel(rewrite, node.inputs[1 - which], static_cast<int64_t>(result.shape.size()), result.shape[1]);
  if (!values) return false;
  std::vector<ValueId> inputs = conv.inputs;
  inputs.resize(3, absent);
  if (scales) {
    const Tensor weights = *graph.value(inputs[1]).constant;
    HADAL_TRY(Tensor scaled, computed(*node.op, weights, over_filters(*values, weights.shape, transposed)));
    inputs[1] = rewrite.add_constant(std::move(scaled), node);
  }
  if (bias != absent) {
    HADAL_TRY(Tensor shifted, computed(*node.op, Tensor(*graph.value(bias).constant), *values));
    inputs[2] = rewrite.add_constant(std::move(shifted), node);
  } else if (!scales) {
    inputs[2] = rewrite.add_constant(node.op == &ops::sub ? negated(*values) : *values, node);
  }
  if (inputs[2] == absent) inputs.pop_back();
  rewrite.edit(node, *conv.op, std::move(inputs), conv.attributes);
  return false;
}

}  // namespace

Result<bool> fold_convolutions(Graph& graph) { return Rewrite::sweep(graph, fold); }

}  // namespace hadal::graph
