// topk, scan and select_along: no arithmetic to vectorise, so one form serves both ways of running.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

template <class T>
T read(const Operand& operand, int64_t at) {
  return get<T>(operand.dtype(), operand.data + at * operand.element_bytes());
}
template <class T>
void write(const Operand& operand, int64_t at, T value) {
  put<T>(operand.dtype(), operand.data + at * operand.element_bytes(), value);
}

/// The order of topk: NaN above all numbers, the lower index first among equals.
template <class T>
struct Before {
  const T* values;
  bool largest;
  bool operator()(int64_t i, int64_t j) const {
    const T a = values[i], b = values[j];
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return largest ? a_nan : b_nan;
    if (a != b && !a_nan) return largest ? a > b : a < b;
    return i < j;
  }
};

template <class T>
void topk_rows(Call& call) {
  const Operand &values = call[0], &indices = call[1], &in = call[2];
  const int64_t length = in.extent(static_cast<size_t>(in.rank() - 1)),
                k = values.extent(static_cast<size_t>(in.rank() - 1));
  auto* row = call.worker->buffers[0].of<T>(length);
  auto* order = call.worker->buffers[1].of<int64_t>(length);
  const Before<T> before{row, call.flag(isa::at::topk_largest)};
  for (int64_t r = 0; r < in.elements() / length; ++r) {
    for (int64_t i = 0; i < length; ++i) row[i] = read<T>(in, r * length + i);
    std::iota(order, order + length, 0);
    if (k < length) std::nth_element(order, order + k - 1, order + length, before);
    if (call.flag(isa::at::topk_sorted))
      std::sort(order, order + k, before);
    else
      std::sort(order, order + k);  // an order that does not depend on how they were found
    for (int64_t i = 0; i < k; ++i) {
      write<T>(values, r * k + i, row[order[i]]);
      write<int64_t>(indices, r * k + i, order[i]);
    }
  }
}

template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_same_v<T, int64_t>)
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}

template <class T>
void scan_rows(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const AxisSplit split = split_at(in, in.rank() - 1);
  const bool exclusive = call.flag(isa::at::scan_exclusive), reverse = call.flag(isa::at::scan_reverse);
  for (int64_t row = 0; row < split.outer; ++row) {
    T sum = 0;
    for (int64_t i = 0; i < split.length; ++i) {
      const int64_t at = row * split.length + (reverse ? split.length - 1 - i : i);
      const T next = sum_of(sum, read<T>(in, at));
      write<T>(out, at, exclusive ? sum : next);
      sum = next;
    }
  }
}

}  // namespace

Status topk(Call& call) {
  with_compute(call[2].dtype(), [&](auto zero) { topk_rows<decltype(zero)>(call); });
  return {};
}

Status scan(Call& call) {
  with_compute(call[1].dtype(), [&](auto zero) { scan_rows<decltype(zero)>(call); });
  return {};
}

Status select_along(Call& call) {
  const Operand &out = call[0], &in = call[1], &index = call[2];
  const auto axis = static_cast<size_t>(call.number(isa::at::select_axis)), rank = static_cast<size_t>(in.rank());
  const int64_t length = in.extent(axis);
  const Dims strides = dense_strides(in.rank(), in.extents(), in.element_bytes());
  Dims at{};
  for (int64_t i = 0;; ++i) {
    const auto stated = read<int64_t>(index, i);
    const int64_t place = stated < 0 ? stated + length : stated;
    if (place < 0 || place >= length)
      return call.fail("select_along.C2",
                       fmt::format("index {} of element {} is outside an axis of {}", stated, i, length));
    const std::byte* from = in.data + place * strides[axis];
    for (size_t d = 0; d < rank; ++d)
      if (d != axis) from += at[d] * strides[d];
    std::byte* to = out.data + i * out.element_bytes();
    if (in.dtype() == out.dtype())
      std::memcpy(to, from, static_cast<size_t>(in.element_bytes()));
    else
      with_compute(in.dtype(),
                   [&](auto zero) { put<decltype(zero)>(out.dtype(), to, get<decltype(zero)>(in.dtype(), from)); });
    size_t d = rank;
    while (d-- > 0 && ++at[d] == index.extent(d)) at[d] = 0;
    if (d == SIZE_MAX) return {};
  }
}

}  // namespace hadal::machine
