#include "compile/integers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compile/integer_products.h"
#include "graph/ops/quantize.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;
using graph::Attributes;
using graph::Node;
using graph::Rewrite;
using graph::ValueId;

// --- Movements

/// Whether an op puts elements of its first operand elsewhere, and does no more.
bool moves(const Node& node) {
  return node.op == &ops::reshape || node.op == &ops::transpose || node.op == &ops::slice ||
         node.op == &ops::broadcast || node.op == &ops::gather ||
         (node.op == &ops::pool && node.attributes.text("kind") == "max");
}

/// A movement of dequantised bytes is the dequantisation of moved bytes.
Status move_bytes(Rewrite& w, Node& node) {
  const bool joins = node.op == &ops::concat;
  if (!joins && !moves(node)) return {};
  const auto first = dequantised(w, node.inputs[0]);
  if (!first) return {};
  std::vector<ValueId> inputs = node.inputs;
  for (size_t i = 0; i < (joins ? inputs.size() : 1); ++i) {
    const auto bytes = dequantised(w, inputs[i]);
    if (!bytes || bytes->scale != first->scale || bytes->zero != first->zero || bytes->dtype != first->dtype) return {};
    inputs[i] = bytes->x;
  }
  // One number each, whatever the rank.
  const Tensor zero = cast(Tensor::of(DType::i64, {}, std::vector<int64_t>{first->zero}), first->dtype);
  HADAL_TRY(const ValueId moved, w.add(*node.op, inputs, node.attributes, node));
  const ValueId scale = w.add_constant(Tensor::of(DType::f32, {}, std::vector<float>{first->scale}), node);
  w.edit(node, ops::dequantize, {moved, scale, w.add_constant(zero, node)}, {});
  return {};
}

// --- Quantize

/// Bounds of the integers that a quantize makes.
struct Bounds {
  double low, high;
};

/// What quantize makes of one number.
double quantised(double x, double scale, double zero, const Bounds& all) {
  const float steps = std::nearbyint(static_cast<float>(x) / static_cast<float>(scale));
  return std::clamp(static_cast<double>(steps) + zero, all.low, all.high);
}

/// Goes up through ReLU and clip, which bound the integers as they bound the number: quantize never falls.
ValueId through_bounds(const Rewrite& w, ValueId x, double scale, double zero, Bounds& bounds) {
  const Bounds all = bounds;
  while (const Node* const node = w.single(x) ? w.maker(x) : nullptr) {
    Bounds theirs{0, std::numeric_limits<double>::infinity()};
    if (node->op == &ops::clip)
      theirs = {node->attributes.number("alpha"), node->attributes.number("beta")};
    else if (node->op != &ops::relu)
      break;
    if (!(theirs.low <= theirs.high)) break;
    const double low = std::isinf(theirs.low) ? all.low : quantised(theirs.low, scale, zero, all);
    const double high = std::isinf(theirs.high) ? all.high : quantised(theirs.high, scale, zero, all);
    bounds = {std::clamp(low, bounds.low, bounds.high), std::clamp(high, bounds.low, bounds.high)};
    x = node->inputs[0];
  }
  return x;
}

/// The number of steps that x is: a product's factors take the scale in.
Result<ValueId> steps_of(Rewrite& w, const Node& node, ValueId x, float scale, const Scaled* product) {
  if (!product) return w.add(ops::div, {x, node.inputs[1]}, {}, node);
  Tensor factors = product->factors;
  if (!factors.bytes.view.empty()) {
    std::vector<float> values;
    for (int64_t i = 0; i < factors.size(); ++i) values.push_back(static_cast<float>(number_at(factors, i)) / scale);
    factors = Tensor::of(DType::f32, factors.shape, values);
  }
  return w.add(ops::mul, {product->sum, w.add_constant(std::move(factors), node)}, {}, node);
}

Result<bool> quantize(Rewrite& w, Node& node, const IntegerProducts& products) {
  const auto scale = w.uniform(node.inputs[1]);
  const auto zero = node.inputs.size() > 2 ? w.uniform(node.inputs[2]) : 0;
  if (!scale || !zero || !(*scale > 0)) return false;
  const DType to = w.graph.type(node.outputs[0]).dtype, wide = w.graph.type(node.inputs[0]).dtype;
  if (const auto bytes = dequantised(w, node.inputs[0]); bytes && static_cast<double>(bytes->scale) == *scale &&
                                                         static_cast<double>(bytes->zero) == *zero &&
                                                         bytes->dtype == to && w.give_way(node, bytes->x))
    return true;
  Bounds bounds{static_cast<double>(least_of(to)), static_cast<double>(most_of(to))};
  const ValueId x = through_bounds(w, node.inputs[0], *scale, *zero, bounds);
  HADAL_TRY(ValueId steps, steps_of(w, node, x, static_cast<float>(*scale), products.made(w, x)));
  HADAL_TRY(steps, w.add(ops::round, {steps}, {}, node));
  if (*zero != 0) {
    const Tensor shift = cast(Tensor::of(DType::f64, {}, std::vector<double>{*zero}), wide);
    HADAL_TRY(steps, w.add(ops::add, {steps, w.add_constant(shift, node)}, {}, node));
  }
  HADAL_TRY(steps, w.add(ops::clip, {steps}, {{"alpha", bounds.low}, {"beta", bounds.high}}, node));
  w.edit(node, ops::cast, {steps}, {{"to", std::string(name_of(to))}});
  return false;
}

// --- What is left

Result<bool> spell(Rewrite& w, Node& node) {
  const bool back = node.op == &ops::dequantize;
  if (!back && node.op != &ops::quantize) return false;
  const graph::Make<ValueId> make = [&](const graph::Op& op, const std::vector<ValueId>& operands,
                                        Attributes attributes) {
    return w.add(op, operands, std::move(attributes), node);
  };
  const ValueId x = node.inputs[0], scale = node.inputs[1];
  const ValueId* const zero = node.inputs.size() > 2 && node.inputs[2] != graph::absent ? &node.inputs[2] : nullptr;
  const DType wide = w.graph.type(scale).dtype;
  HADAL_TRY(const ValueId spelled,
            back ? graph::spell_dequantize<ValueId>(make, x, scale, zero, wide)
                 : graph::spell_quantize<ValueId>(make, x, scale, zero, wide, w.graph.type(node.outputs[0]).dtype));
  return w.give_way(node, spelled);
}

Result<bool> visit(Rewrite& w, Node& node, IntegerProducts& products) {
  if (node.op == &ops::quantize) return quantize(w, node, products);
  HADAL_CHECK(products.visit(w, node));
  HADAL_CHECK(move_bytes(w, node));
  return false;
}

}  // namespace

Status use_integers(graph::Graph& graph, const chip::Chip& chip) {
  IntegerProducts products(chip);
  HADAL_CHECK(Rewrite::sweep(graph, [&](Rewrite& w, Node& node) { return visit(w, node, products); }));
  HADAL_CHECK(Rewrite::sweep(graph, spell));
  return {};
}

}  // namespace hadal::compile
