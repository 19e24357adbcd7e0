// Operators on quantised tensors, spelled as what they stand for: dequantise, compute, quantise. The compiler makes
// integer work of that.
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

/// A scale or zero point: one number, or one for each position of `axis` of a value of `rank`.
ValueId beside(Site& n, ValueId v, int64_t rank, int64_t axis) {
  if (elements(n.b.shape(v)) == 1) return n.b.reshape(v, {});
  if (n.b.rank(v) != 1) fail("onnx.shape", "a scale or zero point of {}", text_of(n.b.shape(v)));
  Shape to(static_cast<size_t>(rank), 1);
  to[static_cast<size_t>(axis)] = n.b.shape(v)[0];
  return n.b.reshape(v, to);
}

/// x with scale and zero point at these inputs; those of an axis from the end may differ along it.
ValueId real(Site& n, ValueId x, size_t scale, size_t zero, int64_t from_end = 1) {
  const int64_t rank = n.b.rank(x), axis = rank - from_end;
  Values operands{x, beside(n, n[scale], rank, axis)};
  if (n.has(zero)) operands.push_back(beside(n, n[zero], rank, axis));
  return n.make(ops::dequantize, operands);
}
ValueId real(Site& n, size_t i) { return real(n, n[i], i + 1, i + 2); }

/// The quantisation of x with scale and zero point at these inputs; without a zero point, as `otherwise`.
ValueId integers(Site& n, ValueId x, size_t scale, size_t zero, DType otherwise) {
  Values operands{x, n.b.reshape(n[scale], {})};
  if (n.has(zero)) operands.push_back(n.b.reshape(n[zero], {}));
  const DType to = n.has(zero) ? n.b.dtype(n[zero]) : otherwise;
  return n.make(ops::quantize, operands, {{"to", std::string(name_of(to))}});
}

/// What an operator of ai.onnx makes of these operands, with the node's attributes.
ValueId run(const Site& n, const std::string& type, Values operands, int opset = 17) {
  Site plain = n;
  plain.inputs = std::move(operands);
  plain.opset = opset;
  return operator_named("", type)->import(plain)[0];
}

/// The operator "QLinear" + `type` of one tensor: x, its scale and zero point, and those of y.
Values of_one(Site& n, const std::string& type, int opset = 17) {
  return {integers(n, run(n, type, {real(n, 0)}, opset), 3, 4, n.b.dtype(n[0]))};
}
Values leaky_relu(Site& n) { return of_one(n, "LeakyRelu"); }
Values reduce_mean(Site& n) { return of_one(n, "ReduceMean"); }
Values sigmoid(Site& n) { return of_one(n, "Sigmoid"); }
Values softmax(Site& n) { return of_one(n, "Softmax", static_cast<int>(n.integer("opset", 13))); }

/// Pools may have their channels last.
Values pooled(Site& n, const std::string& type) {
  const int64_t rank = n.b.rank(n[0]);
  Integers there{0, rank - 1}, back{0};
  for (int64_t i = 1; i + 1 < rank; ++i) there.push_back(i);
  for (int64_t i = 2; i < rank; ++i) back.push_back(i);
  back.push_back(1);
  const bool last = n.integer("channels_last") != 0;
  const ValueId x = real(n, 0), y = run(n, type, {last ? n.b.transpose(x, there) : x});
  return {integers(n, last ? n.b.transpose(y, back) : y, 3, 4, n.b.dtype(n[0]))};
}
Values average_pool(Site& n) { return pooled(n, "AveragePool"); }
Values global_average_pool(Site& n) { return pooled(n, "GlobalAveragePool"); }

/// Two tensors with their scales and zero points, then those of y.
Values of_two(Site& n, const Op& op) {
  return {integers(n, n.make(op, {real(n, 0), real(n, 3)}), 6, 7, n.b.dtype(n[0]))};
}
Values add(Site& n) { return of_two(n, ops::add); }
Values mul(Site& n) { return of_two(n, ops::mul); }

/// Scale and zero point of y, then the parts with theirs.
Values concat(Site& n) {
  if (n.inputs.size() % 3 != 2) fail("onnx.inputs", "{} inputs: not y's two and three for each part", n.inputs.size());
  Values parts;
  for (size_t i = 2; i < n.inputs.size(); i += 3) {
    if (!n.has(i) || !n.has(i + 1)) fail("onnx.inputs", "part {} has no tensor or no scale", i / 3);
    parts.push_back(real(n, i));
  }
  return {integers(n, run(n, "Concat", parts), 0, 1, n.b.dtype(n[2]))};
}

Values where(Site& n) {
  return {integers(n, n.make(ops::where, {n[0], real(n, 1), real(n, 4)}), 7, 8, n.b.dtype(n[1]))};
}

/// a, b and a bias in units of the product of their scales; without a scale of y the result is real.
Values gemm(Site& n) {
  const bool swapped = n.integer("transB") != 0;
  const ValueId a = real(n, 0), b = real(n, n[3], 4, 5, swapped ? 2 : 1);
  Values operands{a, b};
  if (n.has(6)) {
    const Term scale = input(n, 1).reshaped({}) * input(n, 4);
    operands.push_back(n.make(ops::dequantize, {n[6], beside(n, scale.id, n.b.rank(n[6]), n.b.rank(n[6]) - 1)}));
  }
  const ValueId y = run(n, "Gemm", operands);
  return {n.has(7) ? integers(n, y, 7, 8, n.b.dtype(n[0])) : y};
}

/// a, b, their scales and zero points, and a real bias.
Values matmul_to_float(Site& n) {
  const Term y = {&n.b, run(n, "MatMul", {real(n, n[0], 2, 4), real(n, n[1], 3, 5)})};
  return {n.has(6) ? (y + input(n, 6)).id : y.id};
}

constexpr std::string_view microsoft = "com.microsoft";
constexpr Operator rows[] = {
    {"MatMulIntegerToFloat", matmul_to_float, "dequantize matmul add reshape", 4, 7, "", microsoft},
    {"QGemm", gemm, "dequantize matmul mul add quantize", 6, 9, "alpha:f transA:i transB:i", microsoft},
    {"QLinearAdd", add, "dequantize add quantize", 7, 8, "", microsoft},
    {"QLinearAveragePool", average_pool, "dequantize pool pad mul quantize transpose", 4, 5,
     "auto_pad:s ceil_mode:i channels_last:i count_include_pad:i kernel_shape:is pads:is strides:is", microsoft},
    {"QLinearConcat", concat, "dequantize concat quantize", 5, any_number, "axis:i", microsoft},
    {"QLinearGlobalAveragePool", global_average_pool, "dequantize reduce quantize transpose", 5, 5, "channels_last:i",
     microsoft},
    {"QLinearLeakyRelu", leaky_relu, "dequantize leaky_relu quantize", 4, 5, "alpha:f", microsoft},
    {"QLinearMul", mul, "dequantize mul quantize", 7, 8, "", microsoft},
    {"QLinearReduceMean", reduce_mean, "dequantize reduce quantize", 4, 5, "axes:is keepdims:i", microsoft},
    {"QLinearSigmoid", sigmoid, "dequantize sigmoid quantize", 4, 5, "", microsoft},
    {"QLinearSoftmax", softmax, "dequantize softmax reshape quantize", 5, 5, "axis:i opset:i", microsoft},
    {"QLinearWhere", where, "dequantize where quantize", 9, 9, "", microsoft},
};

}  // namespace

std::span<const Operator> qlinear_operators() { return rows; }

}  // namespace hadal::onnx
