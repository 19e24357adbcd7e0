// sort: the definition, element by element, and the same network over whole rows of compare-exchanges.
#include <utility>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

namespace {

template <class T>
bool above(T a, T b) {
  return a > b || (a != a && b == b);
}

/// Calls step(part, distance) for each step of the network.
template <class F>
void for_each_step(const Call& call, int64_t length, const F& step) {
  for (int64_t part = 2 * call.number(isa::at::sort_run); part <= length; part *= 2)
    for (int64_t distance = part / 2; distance > 0; distance /= 2) step(part, distance);
}

/// Whether the part of element i comes out in descending order.
bool descends(const Call& call, int64_t length, int64_t part, int64_t i) {
  return part == length ? call.flag(isa::at::sort_descending) : i / part % 2 != 0;
}

template <class T>
void sort_elements(const Call& call) {
  const Operand &out = call[0], &in = call[1];
  const AxisSplit split = split_at(in, call.number(isa::at::sort_axis));
  const auto read = [](const Operand& from, int64_t at) {
    return get<T>(from.dtype(), from.data + at * from.element_bytes());
  };
  const auto write = [&](int64_t at, T value) { put<T>(out.dtype(), out.data + at * out.element_bytes(), value); };
  for (int64_t at = 0; at < in.elements(); ++at) write(at, read(in, at));
  for_each_step(call, split.length, [&](int64_t part, int64_t distance) {
    for (int64_t at = 0; at < out.elements(); ++at) {
      const int64_t i = at / split.inner % split.length, other = at + distance * split.inner;
      if (i / distance % 2 != 0) continue;
      const T a = read(out, at), b = read(out, other);
      if (descends(call, split.length, part, i) ? !above(b, a) : !above(a, b)) continue;
      write(at, b);
      write(other, a);
    }
  });
}

/// n elements with those `apart` behind them. Selections, so that they become vectors.
template <class T>
void exchange(T* low, T* high, int64_t n, bool descending) {
  if (descending) std::swap(low, high);
  for (int64_t i = 0; i < n; ++i) {
    const T a = low[i], b = high[i];
    const bool swaps = above(a, b);
    low[i] = swaps ? b : a;
    high[i] = swaps ? a : b;
  }
}

template <class T>
void sort_rows(const Call& call) {
  const Operand &out = call[0], &in = call[1];
  const AxisSplit split = split_at(in, call.number(isa::at::sort_axis));
  const int64_t elements = in.elements(), row = split.length * split.inner;
  T* values = call.worker->buffers[0].of<T>(elements);
  for (int64_t i = 0; i < elements; ++i) values[i] = get<T>(in.dtype(), in.data + i * in.element_bytes());
  for (T* first = values; first < values + elements; first += row)
    for_each_step(call, split.length, [&](int64_t part, int64_t distance) {
      const int64_t apart = distance * split.inner;
      for (int64_t i = 0; i < split.length; i += 2 * distance) {
        T* low = first + i * split.inner;
        exchange(low, low + apart, apart, descends(call, split.length, part, i));
      }
    });
  for (int64_t i = 0; i < elements; ++i) put<T>(out.dtype(), out.data + i * out.element_bytes(), values[i]);
}

}  // namespace

Status sort_exact(Call& call) {
  with_compute(call[1].dtype(), [&](auto zero) { sort_elements<decltype(zero)>(call); });
  return {};
}

Status sort_fast(Call& call) {
  with_compute(call[1].dtype(), [&](auto zero) { sort_rows<decltype(zero)>(call); });
  return {};
}

}  // namespace hadal::machine
