// QuantizeLinear and DequantizeLinear by their definitions: scale and zero point per tensor, along one axis, by blocks.
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

/// A scale or zero point as what broadcasts against x: one, one for each position of an axis, or one for each block of
/// positions.
ValueId along_axis(Site& n, ValueId v) {
  const int64_t rank = n.b.rank(n[0]), block = n.integer("block_size");
  const Shape s = n.b.shape(v), x = n.b.shape(n[0]);
  if (elements(s) == 1 && s.size() <= 1 && block == 0) return n.b.reshape(v, {});
  const int64_t axis = Site::axis(n.integer("axis", 1), rank);
  const auto at = static_cast<size_t>(axis);
  if (block != 0) {
    Shape blocks = x;
    blocks[at] = block < 1 ? 0 : (x[at] + block - 1) / block;
    if (s != blocks) fail("onnx.shape", "a scale of {} for {} in blocks of {}", text_of(s), text_of(x), block);
    Shape apart = s, wide, whole = s;
    apart.insert(apart.begin() + axis + 1, 1);
    wide = apart;
    wide[at + 1] = block;
    whole[at] *= block;
    return n.b.slice(n.b.reshape(n.b.broadcast(n.b.reshape(v, apart), wide), whole), axis, 0, x[at]);
  }
  if (s.size() != 1 || s[0] != x[at]) fail("onnx.shape", "a scale of {} for {}", text_of(s), text_of(x));
  Shape to(static_cast<size_t>(rank), 1);
  to[at] = s[0];
  return n.b.reshape(v, to);
}

/// Operands that follow x.
Values with_scale(Site& n, ValueId x) {
  Values operands{x, along_axis(n, n[1])};
  if (n.has(2)) operands.push_back(along_axis(n, n[2]));
  return operands;
}

Values quantize(Site& n) {
  const auto wanted =
      n.integer("output_dtype") ? dtype_of(static_cast<int>(n.integer("output_dtype"))) : std::optional<DType>();
  const DType to = n.has(2) ? n.b.dtype(n[2]) : wanted.value_or(DType::u8);
  if (to == DType::boolean || (!is_float(to) && bytes_of(to) > 2) || (is_float(to) && bytes_of(to) > 1))
    fail("onnx.unsupported", "quantisation to {} is not supported", name_of(to));
  const DType wide = n.b.dtype(n[1]);
  const ValueId x = n.b.cast(n[0], wide);
  if (!is_float(to)) return {n.make(ops::quantize, with_scale(n, x), {{"to", std::string(name_of(to))}})};
  Term y = Term{&n.b, x} / Term{&n.b, along_axis(n, n[1])};
  if (n.has(2)) y = y + Term{&n.b, along_axis(n, n[2])}.as(wide);
  if (to == DType::f8e5m2 && n.integer("saturate", 1)) y = clamp(y, -57344, 57344);
  return {y.as(to).id};
}

Values dequantize(Site& n) { return {n.make(ops::dequantize, with_scale(n, n[0]))}; }

constexpr Operator rows[] = {
    {"DequantizeLinear", dequantize, "dequantize reshape broadcast slice", 2, 3, "axis:i block_size:i output_dtype:i"},
    {"QuantizeLinear", quantize, "quantize div add clip cast reshape broadcast slice", 2, 3,
     "axis:i block_size:i output_dtype:i precision:i saturate:i"},
    {"DequantizeLinear", dequantize, "dequantize reshape", 2, 3, "axis:i", "com.microsoft"},
    {"QuantizeLinear", quantize, "quantize div add clip cast reshape", 2, 3, "axis:i", "com.microsoft"},
};

}  // namespace

std::span<const Operator> quantize_operators() { return rows; }

}  // namespace hadal::onnx
