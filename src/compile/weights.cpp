#include "compile/weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "compile/spatial.h"
#include "rules/cycles.h"

namespace hadal::compile {

namespace {

/// Weights [A, B, kernel...] as [KD, KH, KW, B, A], or with `blocks` > 0 (depthwise) [A / blocks rows of blocks] as
/// [KD, KH, KW, blocks, A / blocks].
Placed taps_first_view(const Placed& w, int64_t multiplier) {
  const size_t dims = w.extents.size() - 2;
  Placed out = w;
  if (multiplier > 0) {
    out.extents = {1, 1, 1, multiplier, w.extents[0] / multiplier};
    out.strides = {0, 0, 0, w.strides[0], w.strides[0] * multiplier};
  } else {
    out.extents = {1, 1, 1, w.extents[1], w.extents[0]};
    out.strides = {0, 0, 0, w.strides[1], w.strides[0]};
  }
  for (size_t d = 0; d < dims; ++d) {
    out.extents[place_of(d, dims)] = w.extents[d + 2];
    out.strides[place_of(d, dims)] = w.strides[d + 2];
  }
  return out;
}

/// Copies the elements that a strided view names to `to`, where dim 3 has `rows` of `row` elements.
void gather(const Tensor& tensor, const Placed& view, std::byte* to, int64_t rows, int64_t row) {
  const auto size = static_cast<size_t>(bytes_of(tensor.dtype));
  const std::byte* from = tensor.bytes.view.data() + view.offset;
  const int64_t a = view.extents[3], b = view.extents[4];
  for (int64_t d = 0; d < view.extents[0]; ++d)
    for (int64_t h = 0; h < view.extents[1]; ++h)
      for (int64_t w = 0; w < view.extents[2]; ++w) {
        const std::byte* base = from + d * view.strides[0] + h * view.strides[1] + w * view.strides[2];
        // By blocks, so that both sides stay in cache.
        constexpr int64_t block = 16;
        for (int64_t i0 = 0; i0 < a; i0 += block)
          for (int64_t j0 = 0; j0 < b; j0 += block)
            for (int64_t i = i0; i < std::min(i0 + block, a); ++i)
              for (int64_t j = j0; j < std::min(j0 + block, b); ++j)
                std::memcpy(to + static_cast<size_t>(i * row + j) * size,
                            base + i * view.strides[3] + j * view.strides[4], size);
        to += static_cast<size_t>(rows * row) * size;
      }
}

/// The elements that a strided view names, dense. Absent bytes stay absent.
Tensor gathered(const Tensor& tensor, const Placed& view) {
  if (tensor.bytes.view.empty()) return Tensor{tensor.dtype, view.extents, {}};
  std::byte* to = nullptr;
  Tensor out = Tensor::zeros(tensor.dtype, view.extents, to);
  gather(tensor, view, to, view.extents[3], view.extents[4]);
  return out;
}

/// The same in blocks of the last two dims: what a tile needs is contiguous, and its load meets all channels of the
/// memory. Blocks that reach beyond the weights are filled up with zeros.
Tensor blocked(const Tensor& tensor, const Placed& view, const WeightBlocks& blocks) {
  const auto [chunk, width, part, chunks, parts, columns] = blocks;
  Shape shape = view.extents;
  shape.insert(shape.begin(), parts * chunks * columns);
  shape[4] = chunk;
  shape[5] = width;
  if (tensor.bytes.view.empty()) return Tensor{tensor.dtype, shape, {}};
  std::byte* to = nullptr;
  Tensor out = Tensor::zeros(tensor.dtype, shape, to);
  const int64_t bytes = elements(shape) / shape[0] * bytes_of(tensor.dtype);
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t at = 0; at < parts * chunks; ++at, to += bytes) {
      const int64_t in_part = at % chunks * chunk, row = at / chunks * part + in_part;
      Placed block = view;
      block.extents[3] = std::min({chunk, part - in_part, view.extents[3] - row});
      block.extents[4] = std::min(width, view.extents[4] - column * width);
      block.offset += row * view.strides[3] + column * width * view.strides[4];
      if (block.extents[3] > 0) gather(tensor, block, to, chunk, width);
    }
  return out;
}

/// Weights [C, O / groups, kernel...] of a transposed convolution as [O, C / groups, kernel...], which conv has.
Tensor as_conv_weights(const Tensor& tensor, int64_t groups) {
  const int64_t channels = tensor.shape[0] / groups, features = tensor.shape[1];
  Tensor out{tensor.dtype, tensor.shape, {}};
  out.shape[0] = features * groups;
  out.shape[1] = channels;
  if (tensor.bytes.view.empty()) return out;
  std::byte* to = nullptr;
  out = Tensor::zeros(tensor.dtype, out.shape, to);
  const auto taps = static_cast<size_t>(elements(tensor.shape) / (tensor.shape[0] * features) * bytes_of(tensor.dtype));
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t o = 0; o < features; ++o)
      for (int64_t c = 0; c < channels; ++c)
        std::memcpy(to + static_cast<size_t>((g * features + o) * channels + c) * taps,
                    tensor.bytes.view.data() + static_cast<size_t>((g * channels + c) * features + o) * taps, taps);
  return out;
}

}  // namespace

Placed dense(const Tensor& tensor) {
  Placed out{0, tensor.dtype, tensor.shape, std::vector<int64_t>(tensor.shape.size()), 0};
  int64_t stride = bytes_of(tensor.dtype);
  for (size_t i = tensor.shape.size(); i-- > 0; stride *= tensor.shape[i]) out.strides[i] = stride;
  return out;
}

namespace {

/// Computed weights [C, O / groups, kernel...] of a transposed convolution as [KD, KH, KW, C / groups, O]: a view, or a
/// copy where the outputs of several groups do not follow each other.
Placed transposed_taps(Emitter& e, graph::ValueId v, int64_t groups) {
  Placed w = e.operand(v);
  if (groups == 1) {
    std::swap(w.extents[0], w.extents[1]);
    std::swap(w.strides[0], w.strides[1]);
    return taps_first_view(w, 0);
  }
  const int64_t channels = w.extents[0] / groups, features = w.extents[1];
  const size_t dims = w.extents.size() - 2;
  Shape taps{1, 1, 1, channels, groups * features};
  for (size_t d = 0; d < dims; ++d) taps[place_of(d, dims)] = w.extents[d + 2];
  const std::string name = e.graph().value(v).name;
  const Placed out = e.scratch(name + ".taps", w.dtype, taps, row_major(taps.size()));
  Placed from = w, to = out;  // Both as [groups, channels, features, kernel...].
  from.extents.insert(from.extents.begin(), groups);
  from.extents[1] = channels;
  from.strides.insert(from.strides.begin(), channels * w.strides[0]);
  to.extents = from.extents;
  to.strides = {features * out.strides[4], out.strides[3], out.strides[4]};
  for (size_t d = 0; d < dims; ++d) to.strides.push_back(out.strides[place_of(d, dims)]);
  emit_copy(e, from, to, name, "reshape", e.nodes());
  return out;
}

}  // namespace

Placed taps_first(Emitter& e, graph::ValueId v, int64_t multiplier, int64_t transposed_groups) {
  if (transposed_groups > 0) {
    if (!e.graph().is_constant(v)) return transposed_taps(e, v, transposed_groups);
    const Tensor tensor = as_conv_weights(*e.graph().value(v).constant, transposed_groups);
    return e.constant(e.graph().value(v).name, gathered(tensor, taps_first_view(dense(tensor), 0)));
  }
  if (!e.graph().is_constant(v)) return taps_first_view(e.operand(v), multiplier);
  const Tensor& tensor = *e.graph().value(v).constant;
  return e.constant(e.graph().value(v).name, gathered(tensor, taps_first_view(dense(tensor), multiplier)));
}

WeightBlocks WeightBlocks::of(int64_t k, int64_t n, int64_t part, int64_t chunk, int64_t width) {
  part = std::min(part, k);
  const WeightBlocks blocks{
      chunk, width, part, rules::ceil_div(part, chunk), rules::ceil_div(k, part), rules::ceil_div(n, width)};
  const int64_t filled = blocks.parts * blocks.chunks * chunk - k;
  return filled * 8 <= k ? blocks : WeightBlocks{k, width, k, 1, 1, blocks.columns};
}

Placed blocked_weights(Emitter& e, graph::ValueId v, const WeightBlocks& blocks) {
  const Tensor& tensor = *e.graph().value(v).constant;
  return e.constant(e.graph().value(v).name, blocked(tensor, taps_first_view(dense(tensor), 0), blocks));
}

Placed blocked_matrix(Emitter& e, graph::ValueId v, bool transposed, int64_t width) {
  const Tensor& tensor = *e.graph().value(v).constant;
  Placed view = dense(tensor);
  if (transposed) {
    std::swap(view.extents[0], view.extents[1]);
    std::swap(view.strides[0], view.strides[1]);
  }
  view.extents.insert(view.extents.begin(), {1, 1, 1});
  view.strides.insert(view.strides.begin(), {0, 0, 0});
  const int64_t k = view.extents[3];
  Tensor blocks = blocked(tensor, view, WeightBlocks::of(k, view.extents[4], k, k, width));
  blocks.shape = {blocks.shape[0], blocks.shape[4], blocks.shape[5]};
  return e.constant(e.graph().value(v).name, blocks);
}

}  // namespace hadal::compile
