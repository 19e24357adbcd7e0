// Chain operations on f32, vectorised for several instruction sets.
#include <algorithm>
#include <array>
#include <cmath>

#include "machine/functional/chain.h"
#include "machine/functional/chain_op.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/functional/chain_fast.cpp"

#include "machine/functional/simd_targets.h"

#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "machine/functional/simd_math.h"

HWY_BEFORE_NAMESPACE();
namespace hadal::machine::HWY_NAMESPACE {

/// One operation on one vector of each operand.
template <ChainOp op>
HWY_INLINE Vector compute(Vector a, Vector b, Vector c, Vector alpha, Vector beta) {
  using enum ChainOp;
  const F32 d;
  const Vector zero = hn::Zero(d), one = number(1), half = number(0.5f);
  const auto truth = [&](auto mask) HWY_ATTR { return hn::IfThenElseZero(mask, one); };
  const auto unit = [&](Vector x) HWY_ATTR { return keep_nan(x, hn::Min(hn::Max(x, zero), one)); };
  // clang-format off
  if constexpr (op == constant) return alpha;
  else if constexpr (op == copy) return a;
  else if constexpr (op == neg) return hn::Neg(a);
  else if constexpr (op == abs) return hn::Abs(a);
  else if constexpr (op == floor) return hn::Floor(a);
  else if constexpr (op == ceil) return hn::Ceil(a);
  else if constexpr (op == round) return hn::Round(a);
  else if constexpr (op == trunc) return hn::Trunc(a);
  else if constexpr (op == exp) return exp_of(a);
  else if constexpr (op == log) return log_of(a);
  else if constexpr (op == sqrt) return hn::Sqrt(a);
  else if constexpr (op == rsqrt) return hn::Div(one, hn::Sqrt(a));
  else if constexpr (op == reciprocal) return hn::Div(one, a);
  else if constexpr (op == tanh) return tanh_of(a);
  else if constexpr (op == erf) return erf_of(a);
  else if constexpr (op == logical_not) return truth(hn::Eq(a, zero));
  else if constexpr (op == relu) return hn::IfThenElse(hn::Lt(a, zero), zero, a);
  else if constexpr (op == leaky_relu) return hn::IfThenElse(hn::Ge(a, zero), a, hn::Mul(alpha, a));
  else if constexpr (op == elu) return hn::IfThenElse(hn::Ge(a, zero), a, hn::Mul(alpha, expm1_of(a)));
  else if constexpr (op == selu)
    return hn::Mul(beta, hn::IfThenElse(hn::Gt(a, zero), a, hn::Mul(alpha, expm1_of(a))));
  else if constexpr (op == celu)
    return hn::IfThenElse(hn::Ge(a, zero), a, hn::Mul(alpha, expm1_of(hn::Div(a, alpha))));
  else if constexpr (op == sigmoid) return sigmoid_of(a);
  else if constexpr (op == hard_sigmoid) return unit(hn::Add(hn::Mul(alpha, a), beta));
  else if constexpr (op == hard_swish) return hn::Mul(a, unit(hn::Add(hn::Div(a, number(6)), half)));
  else if constexpr (op == silu) return hn::Mul(a, sigmoid_of(a));
  else if constexpr (op == gelu)
    return hn::Mul(hn::Mul(a, half), hn::Add(one, erf_of(hn::Mul(a, number(0.70710678118654752440f)))));
  else if constexpr (op == gelu_tanh) {
    const Vector cube = hn::Mul(hn::Mul(hn::Mul(number(0.044715f), a), a), a);
    return hn::Mul(hn::Mul(a, half), hn::Add(one, tanh_of(hn::Mul(number(0.79788456080286535588f), hn::Add(a, cube)))));
  } else if constexpr (op == softplus) return softplus_of(a);
  else if constexpr (op == softsign) return hn::Div(a, hn::Add(one, hn::Abs(a)));
  else if constexpr (op == mish) return hn::Mul(a, tanh_of(softplus_of(a)));
  else if constexpr (op == thresholded_relu) return hn::IfThenElseZero(hn::Gt(a, alpha), a);
  else if constexpr (op == clip) {
    const Vector x = hn::IfThenElse(hn::Lt(a, alpha), alpha, a);
    return hn::IfThenElse(hn::Gt(x, beta), beta, x);
  } else if constexpr (op == add) return hn::Add(a, b);
  else if constexpr (op == sub) return hn::Sub(a, b);
  else if constexpr (op == mul) return hn::Mul(a, b);
  else if constexpr (op == div) return hn::Div(a, b);
  else if constexpr (op == min) return lesser_of(a, b);
  else if constexpr (op == max) return greater_of(a, b);
  else if constexpr (op == equal) return truth(hn::Eq(a, b));
  else if constexpr (op == less) return truth(hn::Lt(a, b));
  else if constexpr (op == less_equal) return truth(hn::Le(a, b));
  else if constexpr (op == greater) return truth(hn::Gt(a, b));
  else if constexpr (op == greater_equal) return truth(hn::Ge(a, b));
  else if constexpr (op == prelu) return hn::IfThenElse(hn::Ge(a, zero), a, hn::Mul(a, b));
  else return hn::IfThenElse(hn::Eq(a, zero), c, b);  // where; Highway's Ne leaves NaN out
  // clang-format on
}

template <ChainOp op, int operands>
void run_op(float* out, const float* a, const float* b, const float* c, float alpha, float beta, size_t n) {
  const F32 d;
  const Vector va = number(alpha), vb = number(beta), zero = hn::Zero(d);
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vector x = operands > 0 ? hn::LoadU(d, a + i) : zero, y = operands > 1 ? hn::LoadU(d, b + i) : zero;
    const Vector z = operands > 2 ? hn::LoadU(d, c + i) : zero;
    hn::StoreU(compute<op>(x, y, z, va, vb), d, out + i);
  }
  if (i == n) return;
  const auto rest = hn::FirstN(d, n - i);
  const Vector x = operands > 0 ? hn::MaskedLoad(rest, d, a + i) : zero,
               y = operands > 1 ? hn::MaskedLoad(rest, d, b + i) : zero;
  const Vector z = operands > 2 ? hn::MaskedLoad(rest, d, c + i) : zero;
  hn::BlendedStore(compute<op>(x, y, z, va, vb), rest, d, out + i);
}

template <int operands, ChainOp... op>
void set(std::array<ChainFunction<float>, chain_op_count>& functions) {
  ((functions[static_cast<size_t>(op)] = &run_op<op, operands>), ...);
}

void set_functions(std::array<ChainFunction<float>, chain_op_count>& functions) {
  using enum ChainOp;
  set<0, constant>(functions);
  set<1, copy, neg, abs, floor, ceil, round, trunc, exp, log, sqrt, rsqrt, reciprocal, tanh, erf, logical_not, relu,
      leaky_relu, elu, selu, celu, sigmoid, hard_sigmoid, hard_swish, silu, gelu, gelu_tanh, softplus, softsign, mish,
      thresholded_relu, clip>(functions);
  set<2, add, sub, mul, div, min, max, equal, less, less_equal, greater, greater_equal, prelu>(functions);
  set<3, where>(functions);
}

}  // namespace hadal::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hadal::machine {

HWY_EXPORT(set_functions);

namespace {

/// Powers by a constant, the usual case, are products and roots.
void run_pow(float* out, const float* a, const float* b, const float* c, float alpha, float beta, size_t n) {
  const float power = b[0];
  if (!std::all_of(b, b + n, [&](float other) { return other == power; }) ||
      (power != 2 && power != 0.5f && power != 3))
    return plain_chain_functions<float>()[static_cast<size_t>(ChainOp::pow)](out, a, b, c, alpha, beta, n);
  if (power == 2)
    for (size_t i = 0; i < n; ++i) out[i] = a[i] * a[i];
  else if (power == 3)
    for (size_t i = 0; i < n; ++i) out[i] = a[i] * a[i] * a[i];
  else
    for (size_t i = 0; i < n; ++i) out[i] = a[i] == -INFINITY ? INFINITY : std::sqrt(a[i]) + 0.0f;
}

std::array<ChainFunction<float>, chain_op_count> make_functions() {
  std::array<ChainFunction<float>, chain_op_count> functions{};
  std::ranges::copy(plain_chain_functions<float>(), functions.begin());
  HWY_DYNAMIC_DISPATCH(set_functions)(functions);
  functions[static_cast<size_t>(ChainOp::pow)] = run_pow;
  return functions;
}

}  // namespace

std::span<const ChainFunction<float>> fast_chain_functions() {
  static const std::array<ChainFunction<float>, chain_op_count> functions = make_functions();
  return functions;
}

}  // namespace hadal::machine
#endif
