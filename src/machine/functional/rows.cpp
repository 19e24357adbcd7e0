#include "machine/functional/rows.h"

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/functional/rows.cpp"

#include "machine/functional/simd_targets.h"

#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "machine/functional/simd_math.h"

HWY_BEFORE_NAMESPACE();
namespace hadal::machine::HWY_NAMESPACE {

// How a reduction begins, takes an element, joins two partial results, and the lanes of one.
struct Sum {
  static constexpr float start = 0;
  static HWY_INLINE Vector take(Vector x, Vector) { return x; }
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Add(a, b); }
  static HWY_INLINE float join_lanes(Vector v) { return hn::GetLane(hn::SumOfLanes(F32(), v)); }
};
struct SumSquare : Sum {
  static HWY_INLINE Vector take(Vector x, Vector) { return hn::Mul(x, x); }
};
struct SumAbs : Sum {
  static HWY_INLINE Vector take(Vector x, Vector) { return hn::Abs(x); }
};
struct Spread : Sum {
  static HWY_INLINE Vector take(Vector x, Vector shift) {
    const Vector difference = hn::Sub(x, shift);
    return hn::Mul(difference, difference);
  }
};
struct SumExp : Sum {
  static HWY_INLINE Vector take(Vector x, Vector shift) { return exp_of(hn::Sub(x, shift)); }
};
struct Product : Sum {
  static constexpr float start = 1;
  static HWY_INLINE Vector join(Vector a, Vector b) { return hn::Mul(a, b); }
  static HWY_INLINE float join_lanes(Vector v) {
    HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(v, F32(), lanes);
    return std::accumulate(lanes, lanes + hn::Lanes(F32()), 1.0f, std::multiplies<>());
  }
};
struct Largest : Sum {
  static constexpr float start = -std::numeric_limits<float>::infinity();
  static HWY_INLINE Vector join(Vector a, Vector b) { return greater_of(a, b); }
  static HWY_INLINE float join_lanes(Vector v) {
    return hn::AllTrue(F32(), hn::Eq(v, v)) ? hn::GetLane(hn::MaxOfLanes(F32(), v)) : NAN;
  }
};
struct Smallest : Sum {
  static constexpr float start = std::numeric_limits<float>::infinity();
  static HWY_INLINE Vector join(Vector a, Vector b) { return lesser_of(a, b); }
  static HWY_INLINE float join_lanes(Vector v) {
    return hn::AllTrue(F32(), hn::Eq(v, v)) ? hn::GetLane(hn::MinOfLanes(F32(), v)) : NAN;
  }
};

/// The taken elements go to `out` unless it is null.
template <class R>
HWY_INLINE float reduce_row(const float* x, float shift, float* out, size_t n) {
  const F32 d;
  const size_t lanes = hn::Lanes(d);
  const Vector start = number(R::start), by = number(shift);
  Vector a = start, b = start, c = start, e = start;
  size_t i = 0;
  if (!out)
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      a = R::join(a, R::take(hn::LoadU(d, x + i), by));
      b = R::join(b, R::take(hn::LoadU(d, x + i + lanes), by));
      c = R::join(c, R::take(hn::LoadU(d, x + i + 2 * lanes), by));
      e = R::join(e, R::take(hn::LoadU(d, x + i + 3 * lanes), by));
    }
  for (; i + lanes <= n; i += lanes) {
    const Vector taken = R::take(hn::LoadU(d, x + i), by);
    if (out) hn::StoreU(taken, d, out + i);
    a = R::join(a, taken);
  }
  if (i < n) {
    const auto rest = hn::FirstN(d, n - i);
    const Vector taken = R::take(hn::MaskedLoad(rest, d, x + i), by);
    if (out) hn::BlendedStore(taken, rest, d, out + i);
    b = R::join(b, hn::IfThenElse(rest, taken, start));
  }
  return R::join_lanes(R::join(R::join(a, b), R::join(c, e)));
}

template <class R>
float of_row(const float* x, size_t n) {
  return reduce_row<R>(x, 0, nullptr, n);
}
float spread(const float* x, float mean, size_t n) { return reduce_row<Spread>(x, mean, nullptr, n); }
float sum_exp(const float* x, float shift, float* out, size_t n) { return reduce_row<SumExp>(x, shift, out, n); }

/// Calls f(i, load, store) for each vector of n elements: load(p) reads p[i …], store(v, p) writes it.
template <class F>
HWY_INLINE void for_each_vector(size_t n, const F& f) {
  const F32 d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f([&](const float* p) HWY_ATTR { return hn::LoadU(d, p + i); },
      [&](Vector v, float* p) HWY_ATTR { hn::StoreU(v, d, p + i); });
  if (i == n) return;
  const auto rest = hn::FirstN(d, n - i);
  f([&](const float* p) HWY_ATTR { return hn::MaskedLoad(rest, d, p + i); },
    [&](Vector v, float* p) HWY_ATTR { hn::BlendedStore(v, rest, d, p + i); });
}

template <class R>
void into(float* to, const float* x, size_t n) {
  for_each_vector(n, [&](const auto& load, const auto& store)
                         HWY_ATTR { store(R::join(load(to), R::take(load(x), number(0))), to); });
}

void add_exp(float* to, const float* x, const float* shift, size_t n) {
  for_each_vector(n, [&](const auto& load, const auto& store)
                         HWY_ATTR { store(hn::Add(load(to), exp_of(hn::Sub(load(x), load(shift)))), to); });
}

void shift_scale(const float* x, float shift, float scale, float* out, size_t n) {
  const Vector by = number(shift), factor = number(scale);
  for_each_vector(
      n, [&](const auto& load, const auto& store) HWY_ATTR { store(hn::Mul(hn::Sub(load(x), by), factor), out); });
}

void affine(float* out, const float* gamma, const float* beta, size_t n) {
  for_each_vector(n, [&](const auto& load, const auto& store) HWY_ATTR {
    Vector v = load(out);
    if (gamma) v = hn::Mul(v, load(gamma));
    if (beta) v = hn::Add(v, load(beta));
    store(v, out);
  });
}

void largest_of(const float* const* list, size_t count, float* out, size_t n) {
  for_each_vector(n, [&](const auto& load, const auto& store) HWY_ATTR {
    Vector v = load(list[0]);
    for (size_t r = 1; r < count; ++r) v = greater_of(v, load(list[r]));
    store(v, out);
  });
}

void sum_of(const float* const* list, size_t count, float divisor, float* out, size_t n) {
  const Vector by = number(divisor);
  for_each_vector(n, [&](const auto& load, const auto& store) HWY_ATTR {
    Vector v = number(0);
    for (size_t r = 0; r < count; ++r) v = hn::Add(v, load(list[r]));
    store(hn::Div(v, by), out);
  });
}

void weighted_sum_of(const float* const* list, const float* weights, size_t count, float* out, size_t n) {
  for_each_vector(n, [&](const auto& load, const auto& store) HWY_ATTR {
    Vector v = hn::Mul(number(weights[0]), load(list[0]));
    for (size_t r = 1; r < count; ++r) v = hn::Add(v, hn::Mul(number(weights[r]), load(list[r])));
    store(v, out);
  });
}

RowFunctions functions() {
  return {&of_row<Sum>,   &of_row<SumSquare>, &of_row<SumAbs>, &of_row<Product>, &of_row<Largest>, &of_row<Smallest>,
          &spread,        &sum_exp,           &into<Sum>,      &into<SumSquare>, &into<SumAbs>,    &into<Product>,
          &into<Largest>, &into<Smallest>,    &add_exp,        &shift_scale,     &affine,          &largest_of,
          &sum_of,        &weighted_sum_of};
}

}  // namespace hadal::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hadal::machine {

HWY_EXPORT(functions);

const RowFunctions& rows() {
  static const RowFunctions best = HWY_DYNAMIC_DISPATCH(functions)();
  return best;
}

}  // namespace hadal::machine
#endif
