// Operators that map onto scalar functions, and casts.
#include <cmath>
#include <limits>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

template <const Op& op>
Values unary(Site& n) {
  return {n.make(op, {n[0]})};
}

/// The second operand. Before opset 7 its axes could stand for those of the first from `axis` on, not for the last.
ValueId aligned(Site& n) {
  if (!n.has("axis")) return n[1];
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]) + 1);
  Shape shape = n.b.shape(n[1]);
  const int64_t behind = n.b.rank(n[0]) - axis - std::ssize(shape);
  if (behind < 0) fail("onnx.shape", "{} from axis {} of {}", text_of(shape), axis, text_of(n.b.shape(n[0])));
  shape.insert(shape.end(), static_cast<size_t>(behind), 1);
  return n.b.reshape(n[1], shape);
}

template <const Op& op>
Values binary(Site& n) {
  return {n.make(op, {n[0], aligned(n)})};
}

/// Operators of any number of operands.
template <const Op& op>
Values variadic(Site& n) {
  ValueId out = n[0];
  for (size_t i = 1; i < n.inputs.size(); ++i) out = n.make(op, {out, n[i]});
  return {out};
}

Values where(Site& n) { return {n.make(ops::where, {n[0], n[1], n[2]})}; }

Values mean(Site& n) {
  const ValueId sum = variadic<ops::add>(n)[0];
  return {n.make(ops::mul, {sum, n.b.scalar(n.b.dtype(sum), 1.0 / static_cast<double>(n.inputs.size()))})};
}

Values leaky_relu(Site& n) { return {n.make(ops::leaky_relu, {n[0]}, {{"alpha", n.number("alpha", 0.01)}})}; }
Values elu(Site& n) { return {n.make(ops::elu, {n[0]}, {{"alpha", n.number("alpha", 1)}})}; }
Values celu(Site& n) { return {n.make(ops::celu, {n[0]}, {{"alpha", n.number("alpha", 1)}})}; }
Values thresholded_relu(Site& n) { return {n.make(ops::thresholded_relu, {n[0]}, {{"alpha", n.number("alpha", 1)}})}; }
Values hard_sigmoid(Site& n) {
  return {n.make(ops::hard_sigmoid, {n[0]}, {{"alpha", n.number("alpha", 0.2)}, {"beta", n.number("beta", 0.5)}})};
}
Values selu(Site& n) {
  return {n.make(ops::selu, {n[0]},
                 {{"alpha", n.number("alpha", 1.67326319217681884765625)},
                  {"beta", n.number("gamma", 1.05070102214813232421875)}})};
}

Values gelu(Site& n) {
  const std::string approximate = n.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    fail("onnx.attribute", "approximate: '{}' is not known", printable(approximate));
  return {n.make(approximate == "tanh" ? ops::gelu_tanh : ops::gelu, {n[0]})};
}

/// com.microsoft: gelu_tanh(x + bias).
Values fast_gelu(Site& n) {
  const ValueId x = n.has(1) ? n.make(ops::add, {n[0], n[1]}) : n[0];
  return {n.make(ops::gelu_tanh, {x})};
}

Values bias_gelu(Site& n) { return {n.make(ops::gelu, {n.make(ops::add, {n[0], n[1]})})}; }

/// x * sigmoid(alpha * x).
Values swish(Site& n) {
  const double alpha = n.number("alpha", n.node.type == "QuickGelu" ? 1.702 : 1);
  if (alpha == 1) return {n.make(ops::silu, {n[0]})};
  const ValueId scaled = n.make(ops::mul, {n[0], n.b.scalar(n.b.dtype(n[0]), alpha)});
  return {n.make(ops::mul, {n[0], n.make(ops::sigmoid, {scaled})})};
}

/// 0 inside [-lambd, lambd], else x moved towards 0 by the bias.
Values shrink(Site& n) {
  const DType dtype = n.b.dtype(n[0]);
  const ValueId lambda = n.b.scalar(dtype, n.number("lambd", 0.5)), low = n.b.scalar(dtype, -n.number("lambd", 0.5));
  const ValueId bias = n.b.scalar(dtype, n.number("bias")), zero = n.b.scalar(dtype, 0);
  const ValueId above =
      n.make(ops::where, {n.make(ops::greater, {n[0], lambda}), n.make(ops::sub, {n[0], bias}), zero});
  return {n.make(ops::where, {n.make(ops::less, {n[0], low}), n.make(ops::add, {n[0], bias}), above})};
}

/// Bounds are attributes, then inputs; bounds that are not known make max and min.
Values clip(Site& n) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool known = (!n.has(1) || n.b.known(n[1])) && (!n.has(2) || n.b.known(n[2]));
  if (known) {
    const double low = n.has(1) ? n.number(1, "min") : n.number("min", -infinity);
    const double high = n.has(2) ? n.number(2, "max") : n.number("max", infinity);
    if (low == 0 && high == infinity) return {n.make(ops::relu, {n[0]})};
    return {n.make(ops::clip, {n[0]}, {{"alpha", low}, {"beta", high}})};
  }
  ValueId out = n[0];
  if (n.has(1)) out = n.make(ops::max, {out, n[1]});
  if (n.has(2)) out = n.make(ops::min, {out, n[2]});
  return {out};
}

/// The exponent takes the base's type; an integer base of a float exponent is raised as a float.
Values pow(Site& n) {
  const DType base = n.b.dtype(n[0]), exponent = n.b.dtype(n[1]);
  if (is_float(base) || !is_float(exponent)) return {n.make(ops::pow, {n[0], n.b.cast(n[1], base)})};
  return {n.b.cast(n.make(ops::pow, {n.b.cast(n[0], exponent), n[1]}), base)};
}

Values mod(Site& n) { return {n.make(n.integer("fmod") ? ops::fmod : ops::rem, {n[0], n[1]})}; }

Values is_inf(Site& n) {
  const bool above = n.integer("detect_positive", 1) != 0, below = n.integer("detect_negative", 1) != 0;
  if (above && below) return {n.make(ops::is_inf, {n[0]})};
  const double sought = above ? INFINITY : below ? -INFINITY : NAN;  // Nothing equals NaN.
  return {n.make(ops::equal, {n[0], n.b.scalar(n.b.dtype(n[0]), sought)})};
}

Values bitwise_not(Site& n) {
  const DType dtype = n.b.dtype(n[0]);
  std::byte* data = nullptr;
  Tensor ones = Tensor::zeros(dtype, {}, data);
  std::fill_n(data, bytes_of(dtype), std::byte{0xff});
  return {n.make(ops::bit_xor, {n[0], n.b.constant(std::move(ones))})};
}

/// The low bits of an i64 as an integer type of fewer.
Term wrapped(const Term& x, DType to) {
  if (bytes_of(to) == 8) return x.as(to);
  const auto number = [&](int64_t value) { return x.with(x.b().integer(value)); };
  const int64_t range = int64_t{1} << info(to).bits;
  const Term low = x.apply(ops::bit_and, number(range - 1));
  if (!info(to).is_signed) return low.as(to);
  return where(low <= number(most_of(to)), low, low - number(range)).as(to);
}

/// Bits that leave a type are lost; a distance below 0, or beyond the width, shifts all bits out.
Values bit_shift(Site& n) {
  const std::string direction = n.text("direction");
  if (direction != "LEFT" && direction != "RIGHT")
    fail("onnx.attribute", "direction: '{}' is not known", printable(direction));
  const Term x = input(n, 0), given = input(n, 1);
  const bool left = direction == "LEFT";
  const DType dtype = x.dtype();
  if (is_float(dtype) || dtype == DType::boolean || given.dtype() != dtype)
    fail("onnx.dtype", "shifts are of integers, found {} and {}", name_of(dtype), name_of(given.dtype()));
  if (!info(dtype).is_signed && !left) return {x.apply(ops::shift_right, given).id};
  const Term wide = given.as(DType::i64), width = wide.with(n.b.integer(info(dtype).bits));
  const Term inside = (wide >= 0) & (wide < width);
  const Term by = where(inside, wide, wide.number(left ? 0 : 63));
  if (!left) return {x.as(DType::i64).apply(ops::shift_right, by).as(dtype).id};
  const Term shifted = wrapped(x.as(DType::i64).apply(ops::shift_left, by), dtype);
  return {where(inside, shifted, shifted.number(0)).id};
}

/// The slope is broadcast one way; before opset 9's text it could also be [C] against [N,C,...].
Values prelu(Site& n) {
  ValueId slope = n[1];
  const auto &x = n.b.shape(n[0]), &s = n.b.shape(slope);
  if (s.size() == 1 && x.size() > 1 && s[0] != 1 && s[0] != x.back() && s[0] == x[1]) {
    Shape channels(x.size() - 1, 1);
    channels[0] = s[0];
    slope = n.b.reshape(slope, channels);
  }
  return {n.make(ops::prelu, {n[0], slope})};
}

/// What a float has to pass for a type of 8 bits to have no number for it, and whether the bound itself does.
struct Overflow {
  DType type;
  double bound;
  bool included;
};
constexpr Overflow overflows[] = {
    {DType::f8e4m3, 464, false}, {DType::f8e4m3fnuz, 248, true}, {DType::f8e5m2fnuz, 61440, true}};

/// Floats of 8 bits saturate, also from infinity, unless the model says otherwise: then e5m2 overflows to infinity, the
/// others to NaN. Integers of fewer than 8 bits keep the low bits.
ValueId cast_to(Site& n, DType to) {
  const Term x = input(n, 0);
  const bool from_float = is_float(x.dtype()), saturates = n.integer("saturate", 1) != 0;
  if (x.dtype() == to) return x.id;
  if (to == DType::f8e8m0 && n.text("round_mode", "up") != "up")
    fail("onnx.unsupported", "round_mode '{}' is not supported", printable(n.text("round_mode")));
  if (!is_float(to) && info(to).bits < 8) return wrapped(x.as(DType::i64), to).id;
  if (to == DType::f8e5m2 && from_float && saturates) return clamp(x, -57344, 57344).as(to).id;
  if (!from_float || saturates) return x.as(to).id;
  for (const Overflow& overflow : overflows) {
    if (overflow.type != to) continue;
    const Term size = x.apply(ops::abs);
    const Term out = overflow.included ? size >= overflow.bound : size > overflow.bound;
    return where(out, x.number(NAN), x).as(to).id;
  }
  return x.as(to).id;
}

Values cast(Site& n) {
  const auto to = dtype_of(static_cast<int>(n.integer("to")));
  if (!to) fail("onnx.dtype", "a cast to {} is not supported", onnx_type_name(static_cast<int>(n.integer("to"))));
  return {cast_to(n, *to)};
}

/// The same bits as another type.
Values bit_cast(Site& n) {
  const auto to = dtype_of(static_cast<int>(n.integer("to")));
  if (!to) fail("onnx.dtype", "BitCast to {} is not supported", onnx_type_name(static_cast<int>(n.integer("to"))));
  if (n.b.dtype(n[0]) == *to) return {n[0]};
  return {n.make(ops::bitcast, {n[0]}, {{"to", std::string(name_of(*to))}})};
}

Values cast_like(Site& n) { return {cast_to(n, n.b.dtype(n[1]))}; }

Values identity(Site& n) { return {n[0]}; }

constexpr Operator rows[] = {
    {"Abs", unary<ops::abs>, "abs", 1, 1, ""},
    {"Acos", unary<ops::acos>, "acos", 1, 1, ""},
    {"Acosh", unary<ops::acosh>, "acosh", 1, 1, ""},
    {"Add", binary<ops::add>, "add", 2, 2, "axis:i broadcast:i"},
    {"And", binary<ops::and_>, "and", 2, 2, "axis:i broadcast:i"},
    {"Asin", unary<ops::asin>, "asin", 1, 1, ""},
    {"Asinh", unary<ops::asinh>, "asinh", 1, 1, ""},
    {"Atan", unary<ops::atan>, "atan", 1, 1, ""},
    {"Atanh", unary<ops::atanh>, "atanh", 1, 1, ""},
    {"BitCast", bit_cast, "bitcast", 1, 1, "to:i"},
    {"BitShift", bit_shift, "shift_left shift_right where and less greater_equal bit_and less_equal sub cast", 2, 2,
     "direction:s"},
    {"BitwiseAnd", binary<ops::bit_and>, "bit_and", 2, 2, ""},
    {"BitwiseNot", bitwise_not, "bit_xor", 1, 1, ""},
    {"BitwiseOr", binary<ops::bit_or>, "bit_or", 2, 2, ""},
    {"BitwiseXor", binary<ops::bit_xor>, "bit_xor", 2, 2, ""},
    {"Cast", cast, "cast clip where greater greater_equal abs bit_and less_equal sub", 1, 1,
     "to:i saturate:i round_mode:s"},
    {"CastLike", cast_like, "cast clip where greater greater_equal abs bit_and less_equal sub", 2, 2,
     "saturate:i round_mode:s"},
    {"Ceil", unary<ops::ceil>, "ceil", 1, 1, ""},
    {"Celu", celu, "celu", 1, 1, "alpha:f"},
    {"Clip", clip, "clip relu max min", 1, 3, "min:f max:f"},
    {"Cos", unary<ops::cos>, "cos", 1, 1, ""},
    {"Cosh", unary<ops::cosh>, "cosh", 1, 1, ""},
    {"Div", binary<ops::div>, "div", 2, 2, "axis:i broadcast:i"},
    {"Elu", elu, "elu", 1, 1, "alpha:f"},
    {"Equal", binary<ops::equal>, "equal", 2, 2, "axis:i broadcast:i"},
    {"Erf", unary<ops::erf>, "erf", 1, 1, ""},
    {"Exp", unary<ops::exp>, "exp", 1, 1, ""},
    {"Floor", unary<ops::floor>, "floor", 1, 1, ""},
    {"Gelu", gelu, "gelu gelu_tanh", 1, 1, "approximate:s"},
    {"Greater", binary<ops::greater>, "greater", 2, 2, "axis:i broadcast:i"},
    {"GreaterOrEqual", binary<ops::greater_equal>, "greater_equal", 2, 2, ""},
    {"HardSigmoid", hard_sigmoid, "hard_sigmoid", 1, 1, "alpha:f beta:f"},
    {"HardSwish", unary<ops::hard_swish>, "hard_swish", 1, 1, ""},
    {"Identity", identity, "", 1, 1, "", "", true},
    {"IsInf", is_inf, "is_inf equal", 1, 1, "detect_positive:i detect_negative:i"},
    {"IsNaN", unary<ops::is_nan>, "is_nan", 1, 1, ""},
    {"LeakyRelu", leaky_relu, "leaky_relu", 1, 1, "alpha:f"},
    {"Less", binary<ops::less>, "less", 2, 2, "axis:i broadcast:i"},
    {"LessOrEqual", binary<ops::less_equal>, "less_equal", 2, 2, ""},
    {"Log", unary<ops::log>, "log", 1, 1, ""},
    {"Max", variadic<ops::max>, "max", 1, any_number, ""},
    {"Mean", mean, "add mul", 1, any_number, ""},
    {"Min", variadic<ops::min>, "min", 1, any_number, ""},
    {"Mish", unary<ops::mish>, "mish", 1, 1, ""},
    {"Mod", mod, "rem fmod", 2, 2, "fmod:i"},
    {"Mul", binary<ops::mul>, "mul", 2, 2, "axis:i broadcast:i"},
    {"Neg", unary<ops::neg>, "neg", 1, 1, ""},
    {"Not", unary<ops::not_>, "not", 1, 1, ""},
    {"Or", binary<ops::or_>, "or", 2, 2, "axis:i broadcast:i"},
    {"PRelu", prelu, "prelu reshape", 2, 2, ""},
    {"Pow", pow, "pow cast", 2, 2, ""},
    {"Reciprocal", unary<ops::reciprocal>, "reciprocal", 1, 1, ""},
    {"Relu", unary<ops::relu>, "relu", 1, 1, ""},
    {"Round", unary<ops::round>, "round", 1, 1, ""},
    {"Selu", selu, "selu", 1, 1, "alpha:f gamma:f"},
    {"Shrink", shrink, "where greater less sub add", 1, 1, "lambd:f bias:f"},
    {"Sigmoid", unary<ops::sigmoid>, "sigmoid", 1, 1, ""},
    {"Sign", unary<ops::sign>, "sign", 1, 1, ""},
    {"Sin", unary<ops::sin>, "sin", 1, 1, ""},
    {"Sinh", unary<ops::sinh>, "sinh", 1, 1, ""},
    {"Softplus", unary<ops::softplus>, "softplus", 1, 1, ""},
    {"Softsign", unary<ops::softsign>, "softsign", 1, 1, ""},
    {"Sqrt", unary<ops::sqrt>, "sqrt", 1, 1, ""},
    {"Sub", binary<ops::sub>, "sub", 2, 2, "axis:i broadcast:i"},
    {"Sum", variadic<ops::add>, "add", 1, any_number, ""},
    {"Swish", swish, "silu mul sigmoid", 1, 1, "alpha:f"},
    {"Tan", unary<ops::tan>, "tan", 1, 1, ""},
    {"Tanh", unary<ops::tanh>, "tanh", 1, 1, ""},
    {"ThresholdedRelu", thresholded_relu, "thresholded_relu", 1, 1, "alpha:f"},
    {"Where", where, "where", 3, 3, ""},
    {"Xor", binary<ops::xor_>, "xor", 2, 2, "axis:i broadcast:i"},
    {"BiasGelu", bias_gelu, "gelu add", 2, 2, "", "com.microsoft"},
    {"FastGelu", fast_gelu, "gelu_tanh add", 1, 2, "", "com.microsoft"},
    {"Gelu", gelu, "gelu gelu_tanh", 1, 1, "", "com.microsoft"},
    {"QuickGelu", swish, "silu mul sigmoid", 1, 1, "alpha:f", "com.microsoft"},
};

}  // namespace

std::span<const Operator> elementwise_operators() { return rows; }

}  // namespace hadal::onnx
