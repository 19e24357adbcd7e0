// The definition of pool and resample: one output after the other, taps in ascending order.
#include <limits>

#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/window.h"

namespace hadal::machine {

namespace {

template <class T>
void pool_element(const PoolWindow& window, const Operand& out, const Operand& in, const Dims& at, std::byte* to) {
  T value = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < window.kernel[0]; ++i)
    for (int64_t j = 0; j < window.kernel[1]; ++j)
      for (int64_t k = 0; k < window.kernel[2]; ++k) {
        const int64_t d = window.at(0, at[1], i), h = window.at(1, at[2], j), w = window.at(2, at[3], k);
        if (d < 0 || d >= in.extent(1) || h < 0 || h >= in.extent(2) || w < 0 || w >= in.extent(3)) continue;
        const int64_t from =
            (((at[0] * in.extent(1) + d) * in.extent(2) + h) * in.extent(3) + w) * in.extent(4) + at[4];
        const auto x = get<T>(in.dtype(), in.data + from * in.element_bytes());
        if (window.kind != PoolKind::max)
          value += x;
        else if (count == 0 || x > value || x != x)
          value = value != value ? value : x;
        ++count;
      }
  if (window.kind == PoolKind::max && count == 0)
    value =
        std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  if (window.kind != PoolKind::mean) return put<T>(out.dtype(), to, value);
  const int64_t divisor = window.count_pad ? window.taps() : count;
  if constexpr (std::is_same_v<T, int64_t>)
    put<double>(out.dtype(), to, static_cast<double>(value) / static_cast<double>(divisor));
  else
    put<T>(out.dtype(), to, value / static_cast<T>(divisor));
}

template <class T>
void resample_element(const isa::ResampleTable& table, int64_t row, const Operand& out, const Operand& in,
                      int64_t first, int64_t step, std::byte* to) {
  T sum = 0;
  for (size_t t = static_cast<size_t>(row) * table.taps, end = t + table.taps; t < end; ++t)
    sum += static_cast<T>(table.weights[t]) *
           get<T>(in.dtype(), in.data + (first + table.indices[t] * step) * in.element_bytes());
  put<T>(out.dtype(), to, sum);
}

}  // namespace

Status pool_exact(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const PoolWindow window(call);
  const bool bytes = fits_f32(in.dtype());
  Dims at{};
  for (std::byte* to = out.data;; to += out.element_bytes()) {
    if (bytes)
      pool_element<float>(window, out, in, at, to);
    else if (in.dtype() == DType::f64)
      pool_element<double>(window, out, in, at, to);
    else
      pool_element<int64_t>(window, out, in, at, to);
    size_t i = 5;
    while (i-- > 0 && ++at[i] == out.extent(i)) at[i] = 0;
    if (i == SIZE_MAX) return {};
  }
}

Status resample_exact(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const int64_t axis = call.number(isa::at::resample_axis), start = call.number(isa::at::resample_start);
  const int64_t base = call.number(isa::at::resample_base);
  const isa::ResampleTable& table =
      call.program.tables[static_cast<size_t>(call.in.fields[isa::at::resample_table].value)];
  const AxisSplit from = split_at(in, axis), to = split_at(out, axis);
  for (int64_t at = 0; at < out.elements(); ++at) {
    const int64_t o = at / (to.length * to.inner), i = at / to.inner % to.length, j = at % to.inner;
    const int64_t first = (o * from.length - base) * from.inner + j;
    std::byte* place = out.data + at * out.element_bytes();
    if (fits_f32(in.dtype()))
      resample_element<float>(table, start + i, out, in, first, from.inner, place);
    else
      resample_element<double>(table, start + i, out, in, first, from.inner, place);
  }
  return {};
}

}  // namespace hadal::machine
