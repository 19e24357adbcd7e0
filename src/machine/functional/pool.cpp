// pool: all channels of an output pixel at once, in one pass over its taps.
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"
#include "machine/functional/rows.h"
#include "machine/functional/tiles.h"
#include "machine/functional/window.h"

namespace hadal::machine {

namespace {

/// First and last tap that fall inside, of `extent` elements.
std::pair<int64_t, int64_t> inside(const PoolWindow& window, size_t axis, int64_t output, int64_t extent) {
  int64_t first = 0, end = window.kernel[axis];
  while (first < end && window.at(axis, output, first) < 0) ++first;
  while (end > first && window.at(axis, output, end - 1) >= extent) --end;
  return {first, end};
}

void pool_pixel(const PoolWindow& window, const std::vector<const float*>& taps, float* out, size_t channels) {
  const size_t count = taps.size();
  if (window.kind == PoolKind::max && count > 0) return rows().largest_of(taps.data(), count, out, channels);
  if (window.kind == PoolKind::max) return std::fill_n(out, channels, -std::numeric_limits<float>::infinity()), void();
  const auto divisor = static_cast<float>(window.count_pad ? window.taps() : static_cast<int64_t>(count));
  rows().sum_of(taps.data(), count, window.kind == PoolKind::mean ? divisor : 1, out, channels);
}

}  // namespace

Status pool_fast(Call& call) {
  const Operand &out = call[0], &in = call[1];
  if (!fits_f32(in.dtype())) return pool_exact(call);
  const PoolWindow window(call);
  auto& buffers = call.worker->buffers;
  std::vector<const float*>& taps = call.worker->taps;
  const float* x = as_f32(in, buffers[0]);
  const F32Result result(out, buffers[1]);
  float* to = result.data();
  const int64_t depth = in.extent(1), height = in.extent(2), width = in.extent(3), channels = in.extent(4);
  for (int64_t n = 0; n < out.extent(0); ++n)
    for (int64_t d = 0; d < out.extent(1); ++d)
      for (int64_t h = 0; h < out.extent(2); ++h) {
        const auto [d0, d1] = inside(window, 0, d, depth);
        const auto [h0, h1] = inside(window, 1, h, height);
        for (int64_t w = 0; w < out.extent(3); ++w, to += channels) {
          const auto [w0, w1] = inside(window, 2, w, width);
          taps.clear();
          for (int64_t i = d0; i < d1; ++i)
            for (int64_t j = h0; j < h1; ++j)
              for (int64_t k = w0; k < w1; ++k)
                taps.push_back(x + (((n * depth + window.at(0, d, i)) * height + window.at(1, h, j)) * width +
                                    window.at(2, w, k)) *
                                       channels);
          pool_pixel(window, taps, to, static_cast<size_t>(channels));
        }
      }
  result.finish();
  return {};
}

}  // namespace hadal::machine
