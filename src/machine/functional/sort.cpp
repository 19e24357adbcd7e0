// sort and sort_pairs: the definitions, element by element, and the same network over whole rows of compare-exchanges.
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

/// The order of pairs, in which no two are equal where their numbers differ.
template <class T>
struct PairAbove {
  bool lower_above;
  bool operator()(T a, int64_t number_a, T b, int64_t number_b) const {
    if (above(a, b) || above(b, a)) return above(a, b);
    return lower_above ? number_a < number_b : number_a > number_b;
  }
};

/// Calls step(part, distance) for each step of the network. Of the fields, sort_pairs has those of sort.
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
T read(const Operand& from, int64_t at) {
  return get<T>(from.dtype(), from.data + at * from.element_bytes());
}
template <class T>
void write(const Operand& to, int64_t at, T value) {
  put<T>(to.dtype(), to.data + at * to.element_bytes(), value);
}

/// What `numbers` is at first, of an element.
int64_t number_at_first(const Call& call, const AxisSplit& split, int64_t at) {
  return call[3] ? read<int64_t>(call[3], at) : at / split.inner % split.length;
}

template <class T>
void sort_elements(const Call& call) {
  const Operand &out = call[0], &in = call[1];
  const AxisSplit split = split_at(in, call.number(isa::at::sort_axis));
  for (int64_t at = 0; at < in.elements(); ++at) write(out, at, read<T>(in, at));
  for_each_step(call, split.length, [&](int64_t part, int64_t distance) {
    for (int64_t at = 0; at < out.elements(); ++at) {
      const int64_t i = at / split.inner % split.length, other = at + distance * split.inner;
      if (i / distance % 2 != 0) continue;
      const T a = read<T>(out, at), b = read<T>(out, other);
      if (descends(call, split.length, part, i) ? !above(b, a) : !above(a, b)) continue;
      write(out, at, b);
      write(out, other, a);
    }
  });
}

template <class T>
void sort_element_pairs(const Call& call) {
  const Operand &out = call[0], &numbers = call[1], &in = call[2];
  const AxisSplit split = split_at(in, call.number(isa::at::pairs_axis));
  const PairAbove<T> pair_above{call.flag(isa::at::pairs_lower_above)};
  for (int64_t at = 0; at < in.elements(); ++at) {
    write(out, at, read<T>(in, at));
    write(numbers, at, number_at_first(call, split, at));
  }
  for_each_step(call, split.length, [&](int64_t part, int64_t distance) {
    for (int64_t at = 0; at < out.elements(); ++at) {
      const int64_t i = at / split.inner % split.length, other = at + distance * split.inner;
      if (i / distance % 2 != 0) continue;
      const T a = read<T>(out, at), b = read<T>(out, other);
      const auto m = read<int64_t>(numbers, at), n = read<int64_t>(numbers, other);
      if (descends(call, split.length, part, i) ? !pair_above(b, n, a, m) : !pair_above(a, m, b, n)) continue;
      write(out, at, b);
      write(out, other, a);
      write(numbers, at, n);
      write(numbers, other, m);
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

/// Pairs at `low` with those `apart` behind them.
template <class T>
void exchange_pairs(T* low, int64_t* numbers, int64_t apart, bool descending, const PairAbove<T>& pair_above) {
  for (int64_t i = 0; i < apart; ++i) {
    const T a = low[i], b = low[i + apart];
    const int64_t m = numbers[i], n = numbers[i + apart];
    const bool swaps = descending ? pair_above(b, n, a, m) : pair_above(a, m, b, n);
    low[i] = swaps ? b : a, low[i + apart] = swaps ? a : b;
    numbers[i] = swaps ? n : m, numbers[i + apart] = swaps ? m : n;
  }
}

/// Calls f(first, apart, descending) for each piece of the network whose elements all meet those `apart` behind them.
template <class F>
void for_each_piece(const Call& call, const AxisSplit& split, const F& f) {
  const int64_t row = split.length * split.inner;
  for (int64_t outer = 0; outer < split.outer; ++outer)
    for_each_step(call, split.length, [&](int64_t part, int64_t distance) {
      for (int64_t i = 0; i < split.length; i += 2 * distance)
        f(outer * row + i * split.inner, distance * split.inner, descends(call, split.length, part, i));
    });
}

template <class T>
void sort_rows(const Call& call) {
  const Operand &out = call[0], &in = call[1];
  const int64_t elements = in.elements();
  T* values = call.worker->buffers[0].of<T>(elements);
  for (int64_t i = 0; i < elements; ++i) values[i] = read<T>(in, i);
  for_each_piece(call, split_at(in, call.number(isa::at::sort_axis)),
                 [&](int64_t first, int64_t apart, bool descending) {
                   exchange(values + first, values + first + apart, apart, descending);
                 });
  for (int64_t i = 0; i < elements; ++i) write(out, i, values[i]);
}

template <class T>
void sort_row_pairs(const Call& call) {
  const Operand &out = call[0], &numbers = call[1], &in = call[2];
  const int64_t elements = in.elements();
  const AxisSplit split = split_at(in, call.number(isa::at::pairs_axis));
  const PairAbove<T> pair_above{call.flag(isa::at::pairs_lower_above)};
  T* values = call.worker->buffers[0].of<T>(elements);
  auto* places = call.worker->buffers[1].of<int64_t>(elements);
  for (int64_t i = 0; i < elements; ++i) {
    values[i] = read<T>(in, i);
    places[i] = number_at_first(call, split, i);
  }
  for_each_piece(call, split, [&](int64_t first, int64_t apart, bool descending) {
    exchange_pairs(values + first, places + first, apart, descending, pair_above);
  });
  for (int64_t i = 0; i < elements; ++i) {
    write(out, i, values[i]);
    write(numbers, i, places[i]);
  }
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

Status sort_pairs_exact(Call& call) {
  with_compute(call[2].dtype(), [&](auto zero) { sort_element_pairs<decltype(zero)>(call); });
  return {};
}

Status sort_pairs_fast(Call& call) {
  with_compute(call[2].dtype(), [&](auto zero) { sort_row_pairs<decltype(zero)>(call); });
  return {};
}

}  // namespace hadal::machine
