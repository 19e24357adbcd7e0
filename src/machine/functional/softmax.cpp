// softmax and norm: rows in f32.
#include <cmath>

#include "isa/fields.h"
#include "machine/functional/axes.h"
#include "machine/functional/kernels.h"
#include "machine/functional/rows.h"
#include "machine/functional/tiles.h"

namespace hadal::machine {

namespace {

void softmax_row(const float* x, float* out, size_t n, bool log) {
  const RowFunctions& f = rows();
  const float most = f.largest(x, n);
  if (log) {
    const float sum = f.sum_exp(x, most, nullptr, n);
    f.shift_scale(x, most + std::log(sum), 1, out, n);
  } else {
    const float sum = f.sum_exp(x, most, out, n);
    f.shift_scale(out, 0, 1 / sum, out, n);
  }
}

void norm_row(const float* x, float* out, size_t n, bool layer, float epsilon) {
  const RowFunctions& f = rows();
  const auto count = static_cast<float>(n);
  const float mean = layer ? f.sum(x, n) / count : 0;
  const float variance = (layer ? f.spread(x, mean, n) : f.sum_square(x, n)) / count;
  f.shift_scale(x, mean, 1 / std::sqrt(variance + epsilon), out, n);
}

}  // namespace

Status softmax_fast(Call& call) {
  const Operand &out = call[0], &in = call[1];
  auto& buffers = call.worker->buffers;
  const float* x = as_f32(in, buffers[0]);
  const F32Result result(out, buffers[1]);
  const AxisSplit split = split_at(in, in.rank() - 1);
  for (int64_t row = 0; row < split.outer; ++row)
    softmax_row(x + row * split.length, result.data() + row * split.length, static_cast<size_t>(split.length),
                call.flag(isa::at::softmax_log));
  result.finish();
  return {};
}

Status norm_fast(Call& call) {
  const Operand &out = call[0], &in = call[1], &gamma = call[2], &beta = call[3];
  auto& buffers = call.worker->buffers;
  const float* x = as_f32(in, buffers[0]);
  const F32Result result(out, buffers[1]);
  const float* scale = gamma ? as_f32(gamma, buffers[2]) : nullptr;
  const float* shift = beta ? as_f32(beta, buffers[3]) : nullptr;
  int64_t length = 1;
  for (int64_t i = 0; i < call.number(isa::at::norm_dims); ++i)
    length *= in.extent(static_cast<size_t>(in.rank() - 1 - i));
  const bool layer = call.in.fields[isa::at::norm_kind].value == 0;
  const auto n = static_cast<size_t>(length);
  for (int64_t at = 0; at < in.elements(); at += length) {
    norm_row(x + at, result.data() + at, n, layer, call.real(isa::at::norm_epsilon));
    if (scale || shift) rows().affine(result.data() + at, scale, shift, n);
  }
  result.finish();
  return {};
}

}  // namespace hadal::machine
