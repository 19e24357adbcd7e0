#include "compile/integer_products.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "rules/matrix.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;
using graph::absent;
using graph::Node;
using graph::Rewrite;
using graph::ValueId;

bool is_byte(DType dtype) { return dtype == DType::i8 || dtype == DType::u8; }
bool has_data(const Tensor& tensor) { return !tensor.bytes.view.empty(); }

/// The largest magnitude that a byte has.
int64_t reach_of(DType dtype) { return std::max(-least_of(dtype), most_of(dtype)); }

/// A scale as one number for each position of `axis`, or one for all.
std::optional<Tensor> along(const Rewrite& w, ValueId v, size_t rank, size_t axis, int64_t extent) {
  if (!w.graph.is_constant(v)) return std::nullopt;
  Tensor tensor = *w.graph.value(v).constant;
  const int64_t size = tensor.size();
  Shape aligned(rank, 1);
  if (tensor.dtype != DType::f32 || tensor.shape.size() > rank) return std::nullopt;
  std::copy(tensor.shape.begin(), tensor.shape.end(), aligned.end() - std::ssize(tensor.shape));
  if (size != 1 && (size != extent || aligned[axis] != extent)) return std::nullopt;
  tensor.shape = size == 1 ? Shape{} : Shape{extent};
  return tensor;
}

/// The largest sum, and sum of magnitudes, of the weights of an output channel; zero where data are absent.
ChannelSums largest_sums(const Tensor& weights, size_t axis) {
  ChannelSums largest;
  if (!has_data(weights)) return largest;
  int64_t inner = 1;
  for (size_t i = axis + 1; i < weights.shape.size(); ++i) inner *= weights.shape[i];
  std::vector<ChannelSums> sums(static_cast<size_t>(weights.shape[axis]));
  for (int64_t i = 0; i < weights.size(); ++i) {
    ChannelSums& of = sums[static_cast<size_t>(i / inner % weights.shape[axis])];
    const auto value = static_cast<int64_t>(number_at(weights, i));
    of.sum += value;
    of.magnitude += std::abs(value);
  }
  for (const ChannelSums& of : sums)
    largest = {std::max(largest.sum, std::abs(of.sum)), std::max(largest.magnitude, of.magnitude)};
  return largest;
}

int64_t largest_magnitude(const Tensor& tensor) {
  int64_t largest = 0;
  for (int64_t i = 0; has_data(tensor) && i < tensor.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<int64_t>(number_at(tensor, i))));
  return largest;
}

/// Constant weights less their zero points, as i8; none where they do not fit it.
std::optional<Tensor> centred(const Rewrite& w, const Node& dequantize) {
  const Tensor weights = *w.graph.value(dequantize.inputs[0]).constant;
  if (dequantize.inputs.size() < 3) return weights;
  const std::optional<double> zero = w.uniform(dequantize.inputs[2]);
  if (zero == 0) return weights;
  if (!w.graph.is_constant(dequantize.inputs[2])) return std::nullopt;
  const Tensor& zeros = *w.graph.value(dequantize.inputs[2]).constant;
  if (!has_data(weights) || !has_data(zeros)) return Tensor{DType::i8, weights.shape, {}};
  const graph::Type wide{DType::i32, weights.shape}, from{zeros.dtype, zeros.shape}, small{DType::i32, zeros.shape};
  const Tensor a = cast(weights, DType::i32), b = cast(zeros, DType::i32);
  const Tensor difference = ops::sub.reference({&a, &b}, {}, {wide})[0];
  Tensor bytes = cast(difference, DType::i8);
  for (int64_t i = 0; i < bytes.size(); ++i)
    if (number_at(bytes, i) != number_at(difference, i)) return std::nullopt;
  return bytes;
}

Tensor scaled_by(const Tensor& factors, float factor) {
  if (!has_data(factors)) return factors;
  std::vector<float> out;
  for (int64_t i = 0; i < factors.size(); ++i) out.push_back(factor * static_cast<float>(number_at(factors, i)));
  return Tensor::of(DType::f32, factors.shape, out);
}

/// Bias scales are those of the product: models round them apart by little.
bool agree(const Tensor& scales, const Tensor& factors) {
  if (!has_data(scales) || !has_data(factors)) return true;
  const int64_t n = std::max(scales.size(), factors.size());
  for (int64_t i = 0; i < n; ++i) {
    const double a = number_at(scales, scales.size() == 1 ? 0 : i), b = number_at(factors, factors.size() == 1 ? 0 : i);
    if (std::fabs(a - b) > 1e-5 * std::fabs(b)) return false;
  }
  return true;
}

/// A value of each channel, as what broadcasts against the product.
Result<ValueId> beside(Rewrite& w, const Node& node, ValueId v, int64_t trailing) {
  if (elements(w.shape(v)) == 1) return w.add(ops::reshape, {v}, {{"shape", Shape{}}}, node);
  Shape shape{elements(w.shape(v))};
  shape.insert(shape.end(), static_cast<size_t>(trailing), 1);
  return w.add(ops::reshape, {v}, {{"shape", shape}}, node);
}

ValueId number(Rewrite& w, const Node& node, int64_t value) {
  return w.add_constant(Tensor::of(DType::i32, {}, std::vector<int32_t>{static_cast<int32_t>(value)}), node);
}

}  // namespace

std::optional<Bytes> dequantised(const Rewrite& rewrite, ValueId v) {
  const Node* const node = rewrite.maker(v, ops::dequantize);
  if (!node || !is_byte(rewrite.graph.type(node->inputs[0]).dtype) || rewrite.graph.type(v).dtype != DType::f32)
    return std::nullopt;
  const auto scale = rewrite.uniform(node->inputs[1]);
  const auto zero = node->inputs.size() > 2 ? rewrite.uniform(node->inputs[2]) : 0;
  if (!scale || !zero) return std::nullopt;
  return Bytes{node->inputs[0], static_cast<float>(*scale), static_cast<int64_t>(*zero),
               rewrite.graph.type(node->inputs[0]).dtype};
}

const Scaled* IntegerProducts::made(const Rewrite& rewrite, ValueId v) const {
  const auto found = scaled_.find(v);
  return found == scaled_.end() || !rewrite.single(v) ? nullptr : &found->second;
}

Status IntegerProducts::visit(Rewrite& rewrite, Node& node) {
  if (node.op == &ops::conv || node.op == &ops::matmul) return multiply(rewrite, node);
  if (node.op == &ops::add) return add_bias(rewrite, node);
  return {};
}

std::optional<IntegerProducts::Product> IntegerProducts::product_of(Rewrite& w, const Node& node) const {
  const bool conv = node.op == &ops::conv;
  const auto a = dequantised(w, node.inputs[0]);
  const Node* const b = w.maker(node.inputs[1], ops::dequantize);
  if (!a || !b || !is_byte(w.graph.type(b->inputs[0]).dtype) || !rules::supports(chip_.matrix, a->dtype))
    return std::nullopt;
  const Shape shape = w.shape(b->inputs[0]);
  Product p{.op = node.op, .attributes = node.attributes, .a = *a, .b = {}, .factors = {}, .weights = {}};
  p.b_rank = shape.size();
  p.trailing = conv ? std::ssize(shape) - 2 : 0;
  p.constant = w.graph.is_constant(b->inputs[0]);
  const bool transposed = !conv && node.attributes.integer("transpose_b") != 0;
  const size_t channels = conv ? 0 : p.b_rank - (transposed ? 2 : 1), last = p.b_rank - (transposed ? 1 : 2);
  const auto scales = along(w, b->inputs[1], p.b_rank, channels, shape[channels]);
  if (!scales) return std::nullopt;
  p.factors = scaled_by(*scales, a->scale);
  p.depth = conv ? elements(shape) / shape[0] : shape[last];
  if (p.constant) {
    const std::optional<Tensor> weights = centred(w, *b);
    if (!weights) return std::nullopt;
    p.weights = largest_sums(*weights, channels);
    const bool same = weights->bytes.view.data() == w.graph.value(b->inputs[0]).constant->bytes.view.data() &&
                      weights->dtype == w.graph.type(b->inputs[0]).dtype;
    p.b = {same ? b->inputs[0] : w.add_constant(*weights, node), 1, 0, weights->dtype};
  } else if (const auto bytes = dequantised(w, node.inputs[1]); bytes && !conv) {
    p.b = *bytes;
  } else {
    return std::nullopt;
  }
  return rules::supports(chip_.matrix, p.b.dtype) ? std::optional(std::move(p)) : std::nullopt;
}

namespace {

/// The sum of v over an axis or axes, times a number, in i32; with `swapped`, its last two axes exchanged (one is 1).
Result<ValueId> total(Rewrite& w, const Node& node, ValueId v, std::vector<int64_t> axes, int64_t factor,
                      bool swapped = false) {
  HADAL_TRY(ValueId sums, w.add(ops::reduce, {v}, {{"kind", "sum"}, {"axes", std::move(axes)}, {"to", "i32"}}, node));
  if (swapped) {
    Shape shape = w.shape(sums);
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
    HADAL_TRY(sums, w.add(ops::reshape, {sums}, {{"shape", shape}}, node));
  }
  return w.add(ops::mul, {sums, number(w, node, factor)}, {}, node);
}

}  // namespace

/// What the zero points add to the sum of products, and the bias; absent: nothing.
Result<ValueId> IntegerProducts::shift_of(Rewrite& w, const Node& node, const Product& p, ValueId bias) {
  std::vector<ValueId> terms;
  if (p.a.zero != 0 && p.op == &ops::conv) {
    std::vector<int64_t> inner;
    for (size_t i = 1; i < p.b_rank; ++i) inner.push_back(static_cast<int64_t>(i));
    HADAL_TRY(const ValueId sums, total(w, node, p.b.x, inner, -p.a.zero));
    HADAL_TRY(terms.emplace_back(), beside(w, node, sums, p.trailing));
  } else if (p.a.zero != 0) {
    const bool swapped = p.attributes.integer("transpose_b") != 0;
    const int64_t depth = static_cast<int64_t>(p.b_rank) - (swapped ? 1 : 2);
    HADAL_TRY(terms.emplace_back(), total(w, node, p.b.x, {depth}, -p.a.zero, swapped));
  }
  if (p.b.zero != 0) {
    const bool swapped = p.attributes.integer("transpose_a") != 0;
    const int64_t depth = std::ssize(w.shape(p.a.x)) - (swapped ? 2 : 1);
    HADAL_TRY(terms.emplace_back(), total(w, node, p.a.x, {depth}, -p.b.zero, swapped));
    if (p.a.zero != 0) terms.push_back(number(w, node, p.depth * p.a.zero * p.b.zero));
  }
  if (bias != absent) terms.push_back(bias);
  ValueId shift = terms.empty() ? absent : terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    HADAL_TRY(shift, w.add(ops::add, {shift, terms[i]}, {}, node));
  }
  return shift;
}

namespace {

/// Whether the sum of products and what is added to it are integers that f32 holds.
bool fits_f32(const Rewrite& w, const IntegerProducts::Product& p, ValueId bias) {
  constexpr int64_t most = int64_t{1} << 24;
  const int64_t reach = reach_of(p.a.dtype);
  if (!p.constant) return 4 * p.depth * reach * reach_of(p.b.dtype) <= most;
  const bool known = bias != absent && w.graph.is_constant(bias);
  const int64_t added = known ? largest_magnitude(*w.graph.value(bias).constant) : 0;
  return p.weights.magnitude * reach <= most && p.weights.sum * std::abs(p.a.zero) + added <= most;
}

}  // namespace

/// Where f32 holds both, sum and shift go to it before they meet: their sum is rounded as that of the integers is.
Result<Scaled> IntegerProducts::write(Rewrite& w, const Node& node, const Product& p, ValueId bias) {
  graph::Attributes attributes = p.attributes;
  if (p.op == &ops::conv && p.a.zero != 0) attributes.set("outside", static_cast<double>(p.a.zero));
  const graph::Attributes to_f32{{"to", "f32"}};
  HADAL_TRY(ValueId sum, w.add(*p.op, {p.a.x, p.b.x}, attributes, node));
  HADAL_TRY(ValueId shift, shift_of(w, node, p, bias));
  const bool late = shift != absent && fits_f32(w, p, bias);
  if (shift != absent && !late) {
    HADAL_TRY(sum, w.add(ops::add, {sum, shift}, {}, node));
  }
  HADAL_TRY(sum, w.add(ops::cast, {sum}, to_f32, node));
  if (late) {
    HADAL_TRY(shift, w.add(ops::cast, {shift}, to_f32, node));
    HADAL_TRY(sum, w.add(ops::add, {sum, shift}, {}, node));
  }
  Tensor factors = p.factors;
  if (!factors.shape.empty()) factors.shape.insert(factors.shape.end(), static_cast<size_t>(p.trailing), 1);
  return Scaled{sum, std::move(factors)};
}

void IntegerProducts::finish(Rewrite& w, Node& node, const Product& product, Scaled scaled) {
  w.edit(node, ops::mul, {scaled.sum, w.add_constant(scaled.factors, node)}, {});
  products_.insert_or_assign(node.outputs[0], product);
  scaled_.insert_or_assign(node.outputs[0], std::move(scaled));
}

namespace {

/// The i32 that v dequantises, if its scale is that of a product; per channel, or one for all.
std::optional<ValueId> bias_of(const Rewrite& w, ValueId v, const Tensor& factors) {
  const Node* const node = w.maker(v, ops::dequantize);
  if (!node || w.graph.type(node->inputs[0]).dtype != DType::i32 || !w.graph.is_constant(node->inputs[0]))
    return std::nullopt;
  if (node->inputs.size() > 2 && w.uniform(node->inputs[2]) != 0) return std::nullopt;
  const Shape& shape = w.shape(node->inputs[0]);
  if (shape.empty() || elements(shape) != shape.back()) return std::nullopt;
  const auto scales = along(w, node->inputs[1], shape.size(), shape.size() - 1, shape.back());
  const bool comparable = scales && (scales->size() == 1 || factors.size() == 1 || scales->size() == factors.size());
  return comparable && agree(*scales, factors) ? std::optional(node->inputs[0]) : std::nullopt;
}

}  // namespace

Status IntegerProducts::multiply(Rewrite& w, Node& node) {
  const auto product = product_of(w, node);
  if (!product) return {};
  const ValueId bias = node.op == &ops::conv && node.inputs.size() > 2 ? node.inputs[2] : absent;
  ValueId term = absent;
  const auto integers = bias == absent ? std::nullopt : bias_of(w, bias, product->factors);
  if (bias != absent) {
    HADAL_TRY(term, beside(w, node, integers.value_or(bias), product->trailing));
  }
  HADAL_TRY(Scaled scaled, write(w, node, *product, integers ? term : absent));
  if (bias == absent || integers) {
    finish(w, node, *product, std::move(scaled));
    return {};
  }
  const ValueId factors = w.add_constant(scaled.factors, node);
  HADAL_TRY(const ValueId whole, w.add(ops::mul, {scaled.sum, factors}, {}, node));
  w.edit(node, ops::add, {whole, term}, {});  // A bias in floats.
  return {};
}

/// That of Gemm.
Status IntegerProducts::add_bias(Rewrite& w, Node& node) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const auto found = products_.find(node.inputs[i]);
    if (found == products_.end() || !w.single(node.inputs[i]) || found->second.op == &ops::conv ||
        w.shape(node.inputs[i]) != w.shape(node.outputs[0]))
      continue;
    const Product product = found->second;
    if (const auto integers = bias_of(w, node.inputs[1 - i], product.factors)) {
      HADAL_TRY(Scaled scaled, write(w, node, product, *integers));
      finish(w, node, product, std::move(scaled));
      return {};
    }
  }
  return {};
}

}  // namespace hadal::compile
