// reduce and arg_reduce on types that fit f32; the others take the exact way.
#include "machine/functional/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/rows.h"
#include "machine/functional/tiles.h"

namespace hadal::machine {

namespace {

/// The axes of the input, neighbours merged that are both reduced or both kept.
struct Merged {
  Dims extents{}, in_strides{}, out_strides{};  ///< Elements; out strides of reduced axes are 0.
  std::array<bool, isa::rank_limit> reduced{};
  size_t rank = 0;
  int64_t reduced_elements = 1;
};

Merged merge(const Operand& in, int64_t axes) {
  Merged m;
  for (size_t i = 0; i < static_cast<size_t>(in.rank()); ++i) {
    const bool reduced = (axes >> i & 1) != 0;
    if (reduced) m.reduced_elements *= in.extent(i);
    if (m.rank > 0 && (m.reduced[m.rank - 1] == reduced || in.extent(i) == 1)) {
      m.extents[m.rank - 1] *= in.extent(i);
      continue;
    }
    m.extents[m.rank] = in.extent(i);
    m.reduced[m.rank++] = reduced;
  }
  int64_t in_stride = 1, out_stride = 1;
  for (size_t i = m.rank; i-- > 0;) {
    m.in_strides[i] = in_stride;
    m.out_strides[i] = m.reduced[i] ? 0 : out_stride;
    in_stride *= m.extents[i];
    if (!m.reduced[i]) out_stride *= m.extents[i];
  }
  return m;
}

/// Calls row(x, at, n) for each run of n elements that all go to output `at`, or along(x, at, n) where element i of the
/// run goes to output at + i.
template <class Row, class Along>
void walk(const Merged& m, size_t axis, const float* x, int64_t at, const Row& row, const Along& along) {
  if (axis + 1 >= m.rank) {
    const auto n = static_cast<size_t>(m.rank == 0 ? 1 : m.extents[axis]);
    return m.rank != 0 && m.reduced[axis] ? row(x, at, n) : along(x, at, n);
  }
  for (int64_t i = 0; i < m.extents[axis]; ++i)
    walk(m, axis + 1, x + i * m.in_strides[axis], at + i * m.out_strides[axis], row, along);
}

struct Folding {
  float start;
  float (*of_row)(const float*, size_t);
  void (*into)(float*, const float*, size_t);  ///< Takes elements of the input.
  void (*join)(float*, const float*, size_t);  ///< Takes partial results.
};

Folding folding_of(ReduceKind kind) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const RowFunctions& f = rows();
  switch (kind) {
    case ReduceKind::max:
    case ReduceKind::log_sum_exp:
      return {-infinity, f.largest, f.raise, f.raise};
    case ReduceKind::min:
      return {infinity, f.smallest, f.lower, f.lower};
    case ReduceKind::prod:
      return {1, f.product, f.multiply, f.multiply};
    case ReduceKind::sum_square:
    case ReduceKind::l2:
      return {0, f.sum_square, f.add_square, f.add};
    case ReduceKind::l1:
      return {0, f.sum_abs, f.add_abs, f.add};
    default:
      return {0, f.sum, f.add, f.add};
  }
}

void fold(const Merged& m, const Folding& folding, const float* x, float* out, int64_t n) {
  std::fill(out, out + n, folding.start);
  walk(
      m, 0, x, 0,
      [&](const float* run, int64_t at, size_t count) {
        const float value = folding.of_row(run, count);
        folding.join(out + at, &value, 1);
      },
      [&](const float* run, int64_t at, size_t count) { folding.into(out + at, run, count); });
}

/// `out` holds the maxima, and becomes max + log(sum(exp(x - max))).
void finish_log_sum_exp(const Merged& m, const float* x, float* out, int64_t n, Buffer& buffer) {
  auto *sums = buffer.of<float>(2 * n), *shifts = sums + n;
  for (int64_t i = 0; i < n; ++i) shifts[i] = std::isinf(out[i]) ? 0 : out[i];
  std::fill(sums, sums + n, 0.0f);
  walk(
      m, 0, x, 0,
      [&](const float* run, int64_t at, size_t count) { sums[at] += rows().sum_exp(run, shifts[at], nullptr, count); },
      [&](const float* run, int64_t at, size_t count) { rows().add_exp(sums + at, run, shifts + at, count); });
  for (int64_t i = 0; i < n; ++i) out[i] = shifts[i] + std::log(sums[i]);
}

void finish(ReduceKind kind, const Merged& m, float* out, int64_t n) {
  const auto count = static_cast<float>(m.reduced_elements);
  if (kind == ReduceKind::mean)
    for (int64_t i = 0; i < n; ++i) out[i] /= count;
  if (kind == ReduceKind::l2)
    for (int64_t i = 0; i < n; ++i) out[i] = std::sqrt(out[i]);
  if (kind == ReduceKind::log_sum)
    for (int64_t i = 0; i < n; ++i) out[i] = std::log(out[i]);
}

/// The place of the extreme of each row of `length` elements; NaN is the extreme.
int64_t place_in_row(const float* x, int64_t length, bool largest, bool last) {
  const float extreme =
      largest ? rows().largest(x, static_cast<size_t>(length)) : rows().smallest(x, static_cast<size_t>(length));
  const auto is_extreme = [&](float value) { return value == extreme || (value != value && extreme != extreme); };
  if (!last) return std::find_if(x, x + length, is_extreme) - x;
  int64_t i = length - 1;
  while (i > 0 && !is_extreme(x[i])) --i;
  return i;
}

/// The same for `inner` rows at once, interleaved.
void places_along(const float* x, const AxisSplit& split, bool largest, bool last, float* best, int64_t* places) {
  std::copy(x, x + split.inner, best);
  std::fill(places, places + split.inner, 0);
  for (int64_t i = 1; i < split.length; ++i) {
    const float* row = x + i * split.inner;
    for (int64_t j = 0; j < split.inner; ++j) {
      const float value = row[j], held = best[j];
      const bool beats = (largest ? value > held : value < held) || (value != value && held == held);
      const bool equals = value == held || (value != value && held != held);
      if (beats || (last && equals)) {
        best[j] = value;
        places[j] = i;
      }
    }
  }
}

}  // namespace

Status reduce_fast(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const auto kind = static_cast<ReduceKind>(call.in.fields[isa::at::reduce_kind].value);
  const bool order_only = kind == ReduceKind::max || kind == ReduceKind::min;
  if (!fits_f32(in.dtype()) || (!is_float(in.dtype()) && !order_only)) return reduce_exact(call);
  auto& buffers = call.worker->buffers;
  const float* x = as_f32(in, buffers[0]);
  const F32Result result(out, buffers[1]);
  const Merged m = merge(in, call.number(isa::at::reduce_axes));
  fold(m, folding_of(kind), x, result.data(), out.elements());
  if (kind == ReduceKind::log_sum_exp)
    finish_log_sum_exp(m, x, result.data(), out.elements(), buffers[2]);
  else
    finish(kind, m, result.data(), out.elements());
  result.finish();
  return {};
}

Status arg_reduce_fast(Call& call) {
  const Operand &out = call[0], &in = call[1];
  if (!fits_f32(in.dtype())) return arg_reduce_exact(call);
  const bool largest = call.in.fields[isa::at::arg_kind].value == 0, last = call.flag(isa::at::arg_last);
  const AxisSplit split = split_at(in, call.number(isa::at::arg_axis));
  auto& buffers = call.worker->buffers;
  const float* x = as_f32(in, buffers[0]);
  auto* places = buffers[1].of<int64_t>(split.outer * split.inner);
  auto* best = buffers[2].of<float>(split.inner);
  for (int64_t o = 0; o < split.outer; ++o, x += split.length * split.inner) {
    if (split.inner == 1)
      places[o] = place_in_row(x, split.length, largest, last);
    else
      places_along(x, split, largest, last, best, places + o * split.inner);
  }
  write_run(out.dtype(), places, out.data, static_cast<size_t>(out.elements()));
  return {};
}

}  // namespace hadal::machine
