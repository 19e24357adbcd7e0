// Integers that stand for real numbers. They are kept whole until the compiler has seen which products they feed.
#include "graph/ops/quantize.h"

#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

/// Scale and zero point do not enlarge x.
Status check_scale(std::string_view op, const OperandTypes& in, DType integer) {
  HADAL_CHECK(check_operands(op, in, 2, 3));
  if (!is_float(in[1]->dtype)) return rule(fmt::format("{}.dtype", op), "a scale of {}", name_of(in[1]->dtype));
  for (size_t i = 1; i < in.size(); ++i) {
    if (!in[i]) continue;
    HADAL_TRY(const Shape whole, broadcast_shapes(fmt::format("{}.broadcast", op), in[0]->shape, in[i]->shape));
    if (whole != in[0]->shape)
      return rule(fmt::format("{}.broadcast", op), "a scale or zero point of [{}] for [{}]",
                  hadal::text_of(in[i]->shape), hadal::text_of(in[0]->shape));
  }
  if (in.size() > 2 && in[2] && in[2]->dtype != integer)
    return rule(fmt::format("{}.dtype", op), "a zero point of {} for {}", name_of(in[2]->dtype), name_of(integer));
  return {};
}

Result<std::vector<Type>> infer_dequantize(const OperandTypes& in, const Attributes&) {
  HADAL_CHECK(check_operands("dequantize", in, 2, 3));
  HADAL_CHECK(check_scale("dequantize", in, in[0]->dtype));
  return std::vector<Type>{{in[1]->dtype, in[0]->shape}};
}

Result<std::vector<Type>> infer_quantize(const OperandTypes& in, const Attributes& a) {
  const std::optional<DType> to = dtype_named(a.text("to"));
  if (!to || is_float(*to) || *to == DType::boolean || bytes_of(*to) > 2)
    return rule("quantize.to", "'{}' is no integer type of 16 bits or less", printable(a.text("to")));
  HADAL_CHECK(check_scale("quantize", in, *to));
  if (in[0]->dtype != in[1]->dtype)
    return rule("quantize.dtype", "x is {}, its scale {}", name_of(in[0]->dtype), name_of(in[1]->dtype));
  return std::vector<Type>{{*to, in[0]->shape}};
}

Result<Tensor> make(const Op& op, const std::vector<Tensor>& operands, const Attributes& attributes) {
  std::vector<Type> types;
  for (const Tensor& x : operands) types.push_back({x.dtype, x.shape});
  OperandTypes of_types;
  OperandTensors tensors;
  for (size_t i = 0; i < operands.size(); ++i) {
    of_types.push_back(&types[i]);
    tensors.push_back(&operands[i]);
  }
  HADAL_TRY(const std::vector<Type> results, op.infer(of_types, attributes));
  return op.reference(tensors, attributes, results)[0];
}

const Tensor* zero_of(const OperandTensors& in) { return in.size() > 2 ? in[2] : nullptr; }

std::vector<Tensor> dequantized(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  return {*spell_dequantize<Tensor>(make, *in[0], *in[1], zero_of(in), results[0].dtype)};
}

std::vector<Tensor> quantized(const OperandTensors& in, const Attributes&, const std::vector<Type>& results) {
  return {*spell_quantize<Tensor>(make, *in[0], *in[1], zero_of(in), in[1]->dtype, results[0].dtype)};
}

}  // namespace

const Op dequantize{"dequantize", "What integers stand for: (x - zero) * scale.", {}, infer_dequantize, dequantized};
const Op quantize{
    "quantize", "Integers that stand for x: round(x / scale) + zero, saturated.", {"to"}, infer_quantize, quantized};

}  // namespace hadal::graph::ops
