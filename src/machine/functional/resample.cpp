#include <algorithm>
#include <cstring>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/rows.h"
#include "machine/functional/tiles.h"

namespace hadal::machine {

namespace {

/// Whether each output of the table's rows [start, start + n) is one input, unchanged.
bool picks(const isa::ResampleTable& table, int64_t start, int64_t n) {
  return table.taps == 1 &&
         std::all_of(table.weights.begin() + start, table.weights.begin() + start + n, [](float w) { return w == 1; });
}

void pick(const Operand& out, const Operand& in, const AxisSplit& from, const AxisSplit& to, const int32_t* indices,
          int64_t base) {
  const auto bytes = static_cast<size_t>(from.inner * in.element_bytes());
  std::byte* at = out.data;
  for (int64_t o = 0; o < to.outer; ++o)
    for (int64_t i = 0; i < to.length; ++i, at += bytes)
      std::memcpy(at, in.data + static_cast<size_t>(o * from.length + indices[i] - base) * bytes, bytes);
}

void mix_rows(const float* x, float* to, const AxisSplit& from, const AxisSplit& split, const isa::ResampleTable& table,
              int64_t start, int64_t base, std::vector<const float*>& taps) {
  taps.resize(table.taps);
  for (int64_t o = 0; o < split.outer; ++o)
    for (int64_t i = 0; i < split.length; ++i, to += split.inner) {
      const auto row = static_cast<size_t>(start + i) * table.taps;
      for (size_t t = 0; t < table.taps; ++t)
        taps[t] = x + (o * from.length + table.indices[row + t] - base) * from.inner;
      rows().weighted_sum_of(taps.data(), table.weights.data() + row, table.taps, to, static_cast<size_t>(split.inner));
    }
}

/// Where the axis is the last, or nearly: no row to work along.
void mix_elements(const float* x, float* to, const AxisSplit& from, const AxisSplit& split,
                  const isa::ResampleTable& table, int64_t start, int64_t base) {
  for (int64_t o = 0; o < split.outer; ++o)
    for (int64_t i = 0; i < split.length; ++i)
      for (int64_t j = 0; j < split.inner; ++j) {
        float sum = 0;
        for (size_t t = static_cast<size_t>(start + i) * table.taps, end = t + table.taps; t < end; ++t)
          sum += table.weights[t] * x[(o * from.length + table.indices[t] - base) * from.inner + j];
        *to++ = sum;
      }
}

}  // namespace

Status resample_fast(Call& call) {
  const Operand &out = call[0], &in = call[1];
  const int64_t axis = call.number(isa::at::resample_axis), start = call.number(isa::at::resample_start);
  const int64_t base = call.number(isa::at::resample_base);
  const isa::ResampleTable& table =
      call.program.tables[static_cast<size_t>(call.in.fields[isa::at::resample_table].value)];
  const AxisSplit from = split_at(in, axis), to = split_at(out, axis);
  if (in.dtype() == out.dtype() && picks(table, start, to.length)) {
    pick(out, in, from, to, table.indices.data() + start, base);
    return {};
  }
  if (!fits_f32(in.dtype())) return resample_exact(call);
  auto& buffers = call.worker->buffers;
  const float* x = as_f32(in, buffers[0]);
  const F32Result result(out, buffers[1]);
  if (to.inner >= 4)
    mix_rows(x, result.data(), from, to, table, start, base, call.worker->taps);
  else
    mix_elements(x, result.data(), from, to, table, start, base);
  result.finish();
  return {};
}

}  // namespace hadal::machine
