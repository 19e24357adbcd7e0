// Products of quantised tensors: exact sums in i32, and their way back to 8 bits.
#include <algorithm>

#include "onnx/terms.h"
#include "onnx/windows.h"

namespace hadal::onnx {

namespace {

bool is_zero(const Term& v) {
  const Tensor* const known = v.b().known(v.id);
  if (!known) return false;
  for (int64_t i = 0; i < known->size(); ++i)
    if (number_at(*known, i) != 0) return false;
  return true;
}

void check_bytes(const Site& n, std::initializer_list<size_t> inputs) {
  for (const size_t i : inputs)
    if (const DType dtype = n.b.dtype(n[i]); dtype != DType::i8 && dtype != DType::u8)
      fail("onnx.dtype", "input {} is {}, expected i8 or u8", i, name_of(dtype));
}

/// A scale or zero point of a matrix [..., M, K] (by_row) or [..., K, N]: what broadcasts against [..., M, N].
Term beside_product(const Term& v, bool by_row) {
  const Shape shape = v.shape();
  if (elements(shape) == 1) return v.reshaped({});
  if (shape.size() > 1) return v;
  return by_row ? v.reshaped({shape[0], 1}) : v;
}

/// Sum of (a - zero_a) * (b - zero_b), by products of 8 bits and sums of rows and columns.
Term byte_product(Term a, std::optional<Term> zero_a, Term b, std::optional<Term> zero_b) {
  const bool row = a.shape().size() == 1, column = b.shape().size() == 1;
  if (row) a = a.reshaped({1, a.shape()[0]});
  if (column) b = b.reshaped({b.shape()[0], 1});
  if (a.shape().size() < 2 || b.shape().size() < 2)
    fail("onnx.shape", "a product of {} and {}", text_of(a.shape()), text_of(b.shape()));
  const int64_t depth = a.shape().back();
  Term sum = product(a, b);
  const auto total = [](const Term& x, int64_t from_end) {
    return x.as(DType::i32).reduced("sum", {std::ssize(x.shape()) - from_end});
  };
  if (zero_a && is_zero(*zero_a)) zero_a.reset();
  if (zero_b && is_zero(*zero_b)) zero_b.reset();
  if (zero_a) zero_a = beside_product(*zero_a, true).as(DType::i32);
  if (zero_b) zero_b = beside_product(*zero_b, false).as(DType::i32);
  if (zero_a) sum = sum - *zero_a * total(b, 2);
  if (zero_b) sum = sum - *zero_b * total(a, 1);
  if (zero_a && zero_b) sum = sum + *zero_a * *zero_b * static_cast<double>(depth);
  Shape to = sum.shape();
  if (column) to.pop_back();
  if (row) to.erase(to.end() - (column ? 1 : 2));
  return sum.reshaped(to);
}

std::optional<Term> optional_input(Site& n, size_t i) { return n.has(i) ? std::optional(input(n, i)) : std::nullopt; }

/// round(sum * scale) + zero, saturated. Rounding and the scale's product are those of f32.
Term requantised(const Term& sum, const Term& scale, const Term& zero) {
  const DType to = zero.dtype();
  const double low = to == DType::i8 ? -128 : 0;
  const Term scaled = (sum.as(DType::f32) * scale.as(DType::f32)).apply(ops::round);
  return clamp(scaled + zero.as(DType::f32), low, low + 255).as(to);
}

Values matmul_integer(Site& n) {
  check_bytes(n, {0, 1});
  return {byte_product(input(n, 0), optional_input(n, 2), input(n, 1), optional_input(n, 3)).id};
}

/// Scales and zero points that are known go through the graph's dequantize and quantize: the compiler sees more.
bool all_known(const Site& n, std::initializer_list<size_t> inputs) {
  return std::ranges::all_of(inputs, [&](size_t i) { return n.b.known(n[i]) != nullptr; });
}

bool one_number(const Site& n, std::initializer_list<size_t> inputs) {
  return std::ranges::all_of(inputs, [&](size_t i) { return elements(n.b.shape(n[i])) == 1; });
}

/// Input i as the number that it stands for; scale and zero point follow it.
Term real(Site& n, size_t i, const Shape& beside = {}) {
  const auto around = [&](size_t k) { return elements(n.b.shape(n[k])) == 1 ? Shape{} : beside; };
  return input(n, i).with(
      n.make(ops::dequantize, {n[i], n.b.reshape(n[i + 1], around(i + 1)), n.b.reshape(n[i + 2], around(i + 2))}));
}

ValueId quantised(Site& n, const Term& y, size_t scale) {
  return n.make(ops::quantize, {y.id, n.b.reshape(n[scale], {}), n.b.reshape(n[scale + 1], {})},
                {{"to", std::string(name_of(n.b.dtype(n[scale + 1])))}});
}

/// Inputs a, its scale and zero point, b and its, those of y.
Values qlinear_matmul(Site& n) {
  check_bytes(n, {0, 2, 3, 5, 7});
  const Shape b = n.b.shape(n[3]);
  if (all_known(n, {1, 2, 4, 5, 6, 7}) && one_number(n, {1, 2, 6, 7}) && n.b.rank(n[0]) > 1 && b.size() > 1 &&
      n.b.dtype(n[1]) == DType::f32 && std::max(n.b.rank(n[4]), n.b.rank(n[5])) < 2) {
    const Term y = product(real(n, 0), real(n, 3, {b.back()}));
    return {quantised(n, y, 6)};
  }
  const Term sum = byte_product(input(n, 0), input(n, 2), input(n, 3), input(n, 5));
  const Term scale =
      beside_product(input(n, 1), true) * beside_product(input(n, 4), false) / beside_product(input(n, 6), true);
  return {requantised(sum, scale, beside_product(input(n, 7), true)).id};
}

/// A value of each output channel against [N,O,...].
Term by_channel(const Term& v, size_t rank) {
  if (elements(v.shape()) == 1) return v.reshaped({});
  Shape to(rank - 1, 1);
  to[0] = elements(v.shape());
  return v.reshaped(to);
}

/// Sums of from * (w - zero_w) over windows, outside of which `from` is a number.
class ByteWindows {
 public:
  ByteWindows(Site& n, const Term& x, const Term& w, std::optional<Term> zero_w)
      : n_(n), w_(w), window_(window_of(n, filter_of(n, x.id, w.id), spatial_of(n, x.id))) {
    if (zero_w && !is_zero(*zero_w)) zero_w_ = by_channel(zero_w->as(DType::i32), rank());
  }

  [[nodiscard]] Term sums(const Term& from, double outside) const {
    const Term sum = convolved(from, w_, outside);
    if (!zero_w_) return sum;
    // The window's sum of `from`, one for each group, spread over its output channels.
    const int64_t groups = n_.integer("group", 1);
    Shape ones = w_.shape();
    ones[0] = groups;
    Term each = convolved(from, w_.with(n_.b.constant(n_.b.filled(w_.dtype(), ones, 1))), outside);
    if (groups > 1) {
      Shape apart = each.shape(), wide;
      apart.insert(apart.begin() + 2, 1);
      wide = apart;
      wide[2] = w_.shape()[0] / groups;
      each = each.reshaped(apart).broadcast(wide).reshaped(sum.shape());
    }
    return sum - *zero_w_ * each;
  }
  /// The same of whole windows of ones.
  [[nodiscard]] Term whole() const {
    Integers inner;
    for (size_t i = 1; i < rank(); ++i) inner.push_back(static_cast<int64_t>(i));
    const Shape filter = w_.shape();
    const Term sum = by_channel(w_.as(DType::i32).reduced("sum", inner, false), rank());
    return zero_w_ ? sum - *zero_w_ * static_cast<double>(elements(Shape(filter.begin() + 1, filter.end()))) : sum;
  }

 private:
  [[nodiscard]] size_t rank() const { return w_.shape().size(); }
  [[nodiscard]] Term convolved(const Term& from, const Term& weights, double outside) const {
    return from.apply(ops::conv, weights,
                      {{"strides", window_.strides},
                       {"pads", window_.pads()},
                       {"dilations", window_.dilations},
                       {"groups", n_.integer("group", 1)},
                       {"outside", outside}});
  }

  Site& n_;
  Term w_;
  Window window_;
  std::optional<Term> zero_w_;
};

/// Sum of (x - zero_x) * (w - zero_w). Padding is of zero_x: what it adds is the same in all windows where that is
/// known, else left out by windows of ones.
Term byte_convolution(Site& n, const Term& x, std::optional<Term> zero_x, const Term& w, std::optional<Term> zero_w) {
  const ByteWindows windows(n, x, w, zero_w);
  if (!zero_x) return windows.sums(x, 0);
  if (elements(zero_x->shape()) != 1) fail("onnx.shape", "{} zero points of x", elements(zero_x->shape()));
  if (const Tensor* const known = n.b.known(zero_x->id)) {
    const double zero = number_at(*known, 0);
    return zero == 0 ? windows.sums(x, 0) : windows.sums(x, zero) - windows.whole() * zero;
  }
  Shape ones = x.shape();
  ones[0] = 1;
  const Term inside = x.with(n.b.constant(n.b.filled(x.dtype(), ones, 1)));
  return windows.sums(x, 0) - zero_x->as(DType::i32).reshaped({}) * windows.sums(inside, 0);
}

Values conv_integer(Site& n) {
  check_bytes(n, {0, 1});
  return {byte_convolution(n, input(n, 0), optional_input(n, 2), input(n, 1), optional_input(n, 3)).id};
}

/// Inputs x, its scale and zero point, w and its, those of y, and a bias in units of the product of both scales.
Values qlinear_conv(Site& n) {
  check_bytes(n, {0, 2, 3, 5, 7});
  if (all_known(n, {1, 2, 4, 5, 6, 7}) && one_number(n, {1, 2, 6, 7})) {
    Shape beside(n.b.shape(n[3]).size(), 1);
    beside[0] = n.b.shape(n[3])[0];
    const Window window = window_of(n, filter_of(n, n[0], n[3]), spatial_of(n, n[0]));
    Values operands{real(n, 0).id, real(n, 3, beside).id};
    if (n.has(8)) {
      const Term scale =
          input(n, 1).reshaped({}) * input(n, 4).reshaped(one_number(n, {4}) ? Shape{} : Shape{beside[0]});
      operands.push_back(n.make(ops::dequantize, {n[8], scale.id}));
    }
    const Term y = input(n, 0).with(n.make(ops::conv, operands,
                                           {{"strides", window.strides},
                                            {"pads", window.pads()},
                                            {"dilations", window.dilations},
                                            {"groups", n.integer("group", 1)}}));
    return {quantised(n, y, 6)};
  }
  Term sum = byte_convolution(n, input(n, 0), input(n, 2), input(n, 3), input(n, 5));
  const size_t rank = sum.shape().size();
  if (n.has(8)) sum = sum + by_channel(input(n, 8), rank);
  const Term scale = by_channel(input(n, 1), rank) * by_channel(input(n, 4), rank) / by_channel(input(n, 6), rank);
  return {requantised(sum, scale, by_channel(input(n, 7), rank)).id};
}

/// Scale and zero point so that 0 and all of x fit 8 bits.
Values dynamic_quantize(Site& n) {
  const Term x = input(n, 0);
  Integers all;
  for (int64_t i = 0; i < std::ssize(x.shape()); ++i) all.push_back(i);
  const Term high = max(x.reduced("max", all, false), x.number(0)),
             low = min(x.reduced("min", all, false), x.number(0));
  const Term range = high - low, scale = where(equal(range, 0), range.number(1), range) / 255;
  const Term zero = clamp(-low / scale, 0, 255).apply(ops::round);
  const Term y = clamp((x / scale).apply(ops::round) + zero, 0, 255);
  return {y.as(DType::u8).id, scale.id, zero.as(DType::u8).id};
}

constexpr std::string_view product_ops = "matmul reduce mul sub add cast reshape";
constexpr std::string_view windows = "auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is";

constexpr Operator rows[] = {
    {"ConvInteger", conv_integer, "conv reduce mul sub cast reshape broadcast", 2, 4, windows},
    {"DynamicQuantizeLinear", dynamic_quantize, "reduce max min sub div round clip where equal add neg cast", 1, 1, ""},
    {"MatMulInteger", matmul_integer, product_ops, 2, 4, ""},
    {"QLinearConv", qlinear_conv, "dequantize conv quantize reduce mul sub add div round clip cast reshape broadcast",
     8, 9, windows},
    {"QLinearMatMul", qlinear_matmul, "dequantize matmul quantize reduce mul sub add div round clip cast reshape", 8, 8,
     ""},
};

}  // namespace

std::span<const Operator> integer_operators() { return rows; }

}  // namespace hadal::onnx
