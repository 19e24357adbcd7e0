// The definition of reduce, arg_reduce, softmax and norm: element by element, in ascending order.
#include <cmath>
#include <limits>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/reduce.h"

namespace hadal::machine {

namespace {

template <class T>
bool is_nan(T value) {
  return value != value;
}

/// Element (outer, i, inner) of a dense operand.
template <class T>
T element(const Operand& operand, int64_t at) {
  return get<T>(operand.dtype(), operand.data + at * operand.element_bytes());
}

template <class T>
T wrapping_add(T a, T b) {
  if constexpr (std::is_same_v<T, int64_t>)
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}
template <class T>
T wrapping_multiply(T a, T b) {
  if constexpr (std::is_same_v<T, int64_t>)
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else
    return a * b;
}

/// Calls f with each element that output `at` covers, first to last.
template <class T, class F>
void for_each_covered(const Operand& out, const Operand& in, int64_t at, const F& f) {
  Dims base{}, index{};
  const auto rank = static_cast<size_t>(in.rank());
  for (size_t i = rank; i-- > 0; at /= out.extent(i)) base[i] = at % out.extent(i);
  while (true) {
    int64_t from = 0;
    for (size_t i = 0; i < rank; ++i) from = from * in.extent(i) + base[i] + index[i];
    f(element<T>(in, from));
    size_t i = rank;
    while (i-- > 0 && ++index[i] == in.extent(i) / out.extent(i)) index[i] = 0;
    if (i == SIZE_MAX) return;
  }
}

/// T is the type of sums, F of what has roots and logarithms.
template <class T, class F>
void reduce_element(ReduceKind kind, const Operand& out, const Operand& in, int64_t at) {
  std::byte* to = out.data + at * out.element_bytes();
  T value = kind == ReduceKind::prod ? 1 : 0;
  int64_t count = 0;
  for_each_covered<T>(out, in, at, [&](T x) {
    const bool first = count++ == 0;
    switch (kind) {
      case ReduceKind::max:
      case ReduceKind::log_sum_exp:
        value = first || x > value || (is_nan(x) && !is_nan(value)) ? x : value;
        break;
      case ReduceKind::min:
        value = first || x < value || (is_nan(x) && !is_nan(value)) ? x : value;
        break;
      case ReduceKind::prod:
        value = wrapping_multiply(value, x);
        break;
      case ReduceKind::sum_square:
      case ReduceKind::l2:
        value = wrapping_add(value, wrapping_multiply(x, x));
        break;
      case ReduceKind::l1:
        value = wrapping_add(value, x < 0 ? wrapping_multiply(x, T(-1)) : x);
        break;
      default:
        value = wrapping_add(value, x);
        break;
    }
  });
  switch (kind) {
    case ReduceKind::mean:
      return put<T>(out.dtype(), to, value / static_cast<T>(count));
    case ReduceKind::l2:
      return put<F>(out.dtype(), to, std::sqrt(static_cast<F>(value)));
    case ReduceKind::log_sum:
      return put<F>(out.dtype(), to, std::log(static_cast<F>(value)));
    case ReduceKind::log_sum_exp: {
      const F shift = std::isinf(static_cast<F>(value)) ? 0 : static_cast<F>(value);
      F sum = 0;
      for_each_covered<T>(out, in, at, [&](T x) { sum += std::exp(static_cast<F>(x) - shift); });
      return put<F>(out.dtype(), to, shift + std::log(sum));
    }
    default:
      return put<T>(out.dtype(), to, value);
  }
}

template <class T>
int64_t place_of_extreme(const Operand& in, const AxisSplit& split, int64_t first, bool largest, bool last) {
  T best = element<T>(in, first);
  int64_t place = 0;
  for (int64_t i = 1; i < split.length; ++i) {
    const T value = element<T>(in, first + i * split.inner);
    const bool beats = (largest ? value > best : value < best) || (is_nan(value) && !is_nan(best));
    const bool equals = value == best || (is_nan(value) && is_nan(best));
    if (!beats && !(last && equals)) continue;
    best = value;
    place = i;
  }
  return place;
}

}  // namespace

Status reduce_exact(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const auto kind = static_cast<ReduceKind>(call.in.fields[isa::at::reduce_kind].value);
  const Compute compute = compute_of(in.dtype());
  for (int64_t at = 0; at < out.elements(); ++at) {
    if (compute == Compute::f32)
      reduce_element<float, float>(kind, out, in, at);
    else if (compute == Compute::f64)
      reduce_element<double, double>(kind, out, in, at);
    else
      reduce_element<int64_t, double>(kind, out, in, at);
  }
  return {};
}

Status arg_reduce_exact(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const bool largest = call.in.fields[isa::at::arg_kind].value == 0, last = call.flag(isa::at::arg_last);
  const AxisSplit split = split_at(in, call.number(isa::at::arg_axis));
  const Compute compute = compute_of(in.dtype());
  for (int64_t at = 0; at < out.elements(); ++at) {
    const int64_t first = at / split.inner * split.length * split.inner + at % split.inner;
    const int64_t place = compute == Compute::f32   ? place_of_extreme<float>(in, split, first, largest, last)
                          : compute == Compute::f64 ? place_of_extreme<double>(in, split, first, largest, last)
                                                    : place_of_extreme<int64_t>(in, split, first, largest, last);
    put<int64_t>(out.dtype(), out.data + at * out.element_bytes(), place);
  }
  return {};
}

Status softmax_exact(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const AxisSplit split = split_at(in, in.rank() - 1);
  for (int64_t row = 0; row < split.outer; ++row) {
    const int64_t first = row * split.length, end = first + split.length;
    float most = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int64_t i = first; i < end; ++i)
      if (const auto x = element<float>(in, i); x > most || is_nan(x)) most = x;
    for (int64_t i = first; i < end; ++i) sum += std::exp(element<float>(in, i) - most);
    for (int64_t i = first; i < end; ++i) {
      const float x = element<float>(in, i) - most;
      put<float>(out.dtype(), out.data + i * out.element_bytes(),
                 call.flag(isa::at::softmax_log) ? x - std::log(sum) : std::exp(x) / sum);
    }
  }
  return {};
}

Status norm_exact(Call& call) {
  const Operand &out = call[0], &in = call[1], &gamma = call[2], &beta = call[3];
  int64_t length = 1;
  for (int64_t i = 0; i < call.number(isa::at::norm_dims); ++i)
    length *= in.extent(static_cast<size_t>(in.rank() - 1 - i));
  const bool layer = call.in.fields[isa::at::norm_kind].value == 0;
  const auto count = static_cast<float>(length);
  for (int64_t first = 0; first < in.elements(); first += length) {
    float mean = 0, variance = 0;
    for (int64_t i = 0; i < length && layer; ++i) mean += element<float>(in, first + i);
    mean /= count;
    for (int64_t i = 0; i < length; ++i) {
      const float x = element<float>(in, first + i) - mean;
      variance += x * x;
    }
    const float scale = 1 / std::sqrt(variance / count + call.real(isa::at::norm_epsilon));
    for (int64_t i = 0; i < length; ++i) {
      float x = (element<float>(in, first + i) - mean) * scale;
      if (gamma) x *= element<float>(gamma, i);
      if (beta) x += element<float>(beta, i);
      put<float>(out.dtype(), out.data + (first + i) * out.element_bytes(), x);
    }
  }
  return {};
}

}  // namespace hadal::machine
