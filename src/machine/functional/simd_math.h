// Vector functions that Highway lacks or leaves undefined at the edges. Included once for each target.
#if defined(HADAL_SIMD_MATH_H) == defined(HWY_TARGET_TOGGLE)
#ifdef HADAL_SIMD_MATH_H
#undef HADAL_SIMD_MATH_H
#else
#define HADAL_SIMD_MATH_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hadal::machine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;

HWY_INLINE Vector number(float value) { return hn::Set(F32(), value); }
/// `result`, but NaN where `x` is.
HWY_INLINE Vector keep_nan(Vector x, Vector result) { return hn::IfThenElse(hn::Eq(x, x), result, x); }

HWY_INLINE Vector exp_of(Vector x) {
  const F32 d;
  const auto large = hn::Gt(x, number(88.8f));  // past the largest float
  const Vector result = hn::Exp(d, hn::IfThenElse(large, number(0), x));
  return keep_nan(x, hn::IfThenElse(large, number(INFINITY), result));
}

HWY_INLINE Vector expm1_of(Vector x) {
  const F32 d;
  const auto large = hn::Gt(x, number(88.8f));
  const Vector result = hn::Expm1(d, hn::IfThenElse(large, number(0), x));
  return keep_nan(x, hn::IfThenElse(large, number(INFINITY), result));
}

HWY_INLINE Vector log_of(Vector x) {
  const F32 d;
  Vector result = hn::Log(d, x);
  result = hn::IfThenElse(hn::Eq(x, number(INFINITY)), x, result);
  result = hn::IfThenElse(hn::Eq(x, number(0)), number(-INFINITY), result);
  return hn::IfThenElse(hn::Ge(x, number(0)), result, number(NAN));
}

/// log(1 + x) for x in [0, 1].
HWY_INLINE Vector log1p_of(Vector x) { return hn::Log1p(F32(), x); }

HWY_INLINE Vector tanh_of(Vector x) {
  const F32 d;
  const Vector bounded = hn::Min(hn::Max(x, number(-20)), number(20));
  return keep_nan(x, hn::Tanh(d, bounded));
}

/// Within one unit in the last place or so: a polynomial near 0, elsewhere 1 - e^polynomial (after N. Juffa).
HWY_INLINE Vector erf_of(Vector x) {
  const F32 d;
  const Vector t = hn::Min(hn::Abs(x), number(6)), s = hn::Mul(t, t);
  Vector far = hn::MulAdd(number(-1.72853470e-5f), t, number(3.83197126e-4f));
  const Vector other = hn::MulAdd(number(-3.88396438e-3f), t, number(2.42546219e-2f));
  far = hn::MulAdd(far, s, other);
  far = hn::MulAdd(far, t, number(-1.06777877e-1f));
  far = hn::MulAdd(far, t, number(-6.34846687e-1f));
  far = hn::MulAdd(far, t, number(-1.28717512e-1f));
  far = hn::MulAdd(far, t, hn::Neg(t));
  far = hn::CopySign(hn::Sub(number(1), hn::Exp(d, far)), x);
  Vector near = number(-5.96761703e-4f);
  near = hn::MulAdd(near, s, number(4.99119423e-3f));
  near = hn::MulAdd(near, s, number(-2.67681349e-2f));
  near = hn::MulAdd(near, s, number(1.12819925e-1f));
  near = hn::MulAdd(near, s, number(-3.76125336e-1f));
  near = hn::MulAdd(near, s, number(1.28379166e-1f));
  near = hn::MulAdd(near, x, x);
  return keep_nan(x, hn::IfThenElse(hn::Gt(t, number(0.927734375f)), far, near));
}

HWY_INLINE Vector sigmoid_of(Vector x) { return hn::Div(number(1), hn::Add(number(1), exp_of(hn::Neg(x)))); }

HWY_INLINE Vector softplus_of(Vector x) {
  const Vector positive = hn::Max(x, number(0));
  return keep_nan(x, hn::Add(positive, log1p_of(exp_of(hn::Neg(hn::Abs(x))))));
}

HWY_INLINE Vector greater_of(Vector a, Vector b) { return keep_nan(a, keep_nan(b, hn::Max(a, b))); }
HWY_INLINE Vector lesser_of(Vector a, Vector b) { return keep_nan(a, keep_nan(b, hn::Min(a, b))); }

}  // namespace hadal::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
