// The operations of chains as names for code, and their definitions. A test holds the order equal to isa::chain_ops().
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace hadal::machine {

enum class ChainOp : uint8_t {
  constant,
  copy,
  neg,
  abs,
  sign,
  floor,
  ceil,
  round,
  trunc,
  exp,
  log,
  sqrt,
  rsqrt,
  reciprocal,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  erf,
  logical_not,
  is_nan,
  is_inf,
  relu,
  leaky_relu,
  elu,
  selu,
  celu,
  sigmoid,
  hard_sigmoid,
  hard_swish,
  silu,
  gelu,
  gelu_tanh,
  softplus,
  softsign,
  mish,
  thresholded_relu,
  clip,
  add,
  sub,
  mul,
  div,
  rem,
  fmod,
  pow,
  min,
  max,
  logical_and,
  logical_or,
  logical_xor,
  equal,
  less,
  less_equal,
  greater,
  greater_equal,
  shift_left,
  shift_right,
  bit_and,
  bit_or,
  bit_xor,
  prelu,
  where
};
inline constexpr size_t chain_op_count = static_cast<size_t>(ChainOp::where) + 1;

/// Operations that integers compute as integers, wrapping; division by zero gives 0.
int64_t apply_integer(ChainOp op, int64_t a, int64_t b, int64_t c, float alpha, float beta);

template <class F>
int64_t truncated(F value) {
  if (std::isnan(value)) return 0;
  if (value >= static_cast<F>(0x1p63)) return std::numeric_limits<int64_t>::max();
  if (value < static_cast<F>(-0x1p63)) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

/// Two's complement operations on floats that hold integers.
template <class T>
T apply_bits(ChainOp op, T a, T b) {
  return static_cast<T>(apply_integer(op, truncated(a), truncated(b), 0, 0, 0));
}

template <ChainOp op, class T>
T apply(T a, T b, T c, float first, float second) {
  if constexpr (std::is_same_v<T, int64_t>) {
    return apply_integer(op, a, b, c, first, second);
  } else {
    using enum ChainOp;
    const T alpha = first, beta = second, zero = 0, one = 1, half = T(0.5);
    const auto sigmoid_of = [&](T x) { return one / (one + std::exp(-x)); };
    const auto softplus_of = [&](T x) { return (x < zero ? zero : x) + std::log1p(std::exp(-std::fabs(x))); };
    const auto truth = [&](bool value) { return value ? one : zero; };
    // clang-format off
    if constexpr (op == constant) return alpha;
    else if constexpr (op == copy) return a;
    else if constexpr (op == neg) return -a;
    else if constexpr (op == abs) return std::fabs(a);
    else if constexpr (op == sign) return a > zero ? one : a < zero ? -one : a;
    else if constexpr (op == floor) return std::floor(a);
    else if constexpr (op == ceil) return std::ceil(a);
    else if constexpr (op == round) return std::nearbyint(a);
    else if constexpr (op == trunc) return std::trunc(a);
    else if constexpr (op == exp) return std::exp(a);
    else if constexpr (op == log) return std::log(a);
    else if constexpr (op == sqrt) return std::sqrt(a);
    else if constexpr (op == rsqrt) return one / std::sqrt(a);
    else if constexpr (op == reciprocal) return one / a;
    else if constexpr (op == sin) return std::sin(a);
    else if constexpr (op == cos) return std::cos(a);
    else if constexpr (op == tan) return std::tan(a);
    else if constexpr (op == asin) return std::asin(a);
    else if constexpr (op == acos) return std::acos(a);
    else if constexpr (op == atan) return std::atan(a);
    else if constexpr (op == sinh) return std::sinh(a);
    else if constexpr (op == cosh) return std::cosh(a);
    else if constexpr (op == tanh) return std::tanh(a);
    else if constexpr (op == asinh) return std::asinh(a);
    else if constexpr (op == acosh) return std::acosh(a);
    else if constexpr (op == atanh) return std::atanh(a);
    else if constexpr (op == erf) return std::erf(a);
    else if constexpr (op == logical_not) return truth(a == zero);
    else if constexpr (op == is_nan) return truth(std::isnan(a));
    else if constexpr (op == is_inf) return truth(std::isinf(a));
    else if constexpr (op == relu) return a < zero ? zero : a;
    else if constexpr (op == leaky_relu) return a >= zero ? a : alpha * a;
    else if constexpr (op == elu) return a >= zero ? a : alpha * std::expm1(a);
    else if constexpr (op == selu) return beta * (a > zero ? a : alpha * std::expm1(a));
    else if constexpr (op == celu) return a >= zero ? a : alpha * std::expm1(a / alpha);
    else if constexpr (op == sigmoid) return sigmoid_of(a);
    else if constexpr (op == hard_sigmoid) {
      const T x = alpha * a + beta;
      return x < zero ? zero : x > one ? one : x;
    } else if constexpr (op == hard_swish) {
      const T x = a / T(6) + half;
      return a * (x < zero ? zero : x > one ? one : x);
    } else if constexpr (op == silu) return a * sigmoid_of(a);
    else if constexpr (op == gelu) return a * half * (one + std::erf(a * T(0.70710678118654752440)));
    else if constexpr (op == gelu_tanh)
      return a * half * (one + std::tanh(T(0.79788456080286535588) * (a + T(0.044715) * a * a * a)));
    else if constexpr (op == softplus) return softplus_of(a);
    else if constexpr (op == softsign) return a / (one + std::fabs(a));
    else if constexpr (op == mish) return a * std::tanh(softplus_of(a));
    else if constexpr (op == thresholded_relu) return a > alpha ? a : zero;
    else if constexpr (op == clip) {
      const T x = a < alpha ? alpha : a;
      return x > beta ? beta : x;
    } else if constexpr (op == add) return a + b;
    else if constexpr (op == sub) return a - b;
    else if constexpr (op == mul) return a * b;
    else if constexpr (op == div) return a / b;
    else if constexpr (op == rem) {
      const T r = std::fmod(a, b);
      return r != zero && (r < zero) != (b < zero) ? r + b : r;
    } else if constexpr (op == fmod) return std::fmod(a, b);
    else if constexpr (op == pow) return std::pow(a, b);
    else if constexpr (op == min) return std::isnan(a) || a < b ? a : b;
    else if constexpr (op == max) return std::isnan(a) || a > b ? a : b;
    else if constexpr (op == logical_and) return truth(a != zero && b != zero);
    else if constexpr (op == logical_or) return truth(a != zero || b != zero);
    else if constexpr (op == logical_xor) return truth((a != zero) != (b != zero));
    else if constexpr (op == equal) return truth(a == b);
    else if constexpr (op == less) return truth(a < b);
    else if constexpr (op == less_equal) return truth(a <= b);
    else if constexpr (op == greater) return truth(a > b);
    else if constexpr (op == greater_equal) return truth(a >= b);
    else if constexpr (op == prelu) return a >= zero ? a : a * b;
    else if constexpr (op == where) return a != zero ? b : c;
    else return apply_bits(op, a, b);
    // clang-format on
  }
}

}  // namespace hadal::machine
