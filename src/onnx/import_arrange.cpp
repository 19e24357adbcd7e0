// Operators that put elements elsewhere: crops, columns, sequences, caches.
#include <algorithm>

#include "onnx/terms.h"
#include "onnx/windows.h"

namespace hadal::onnx {

namespace {

Term padded(const Term& x, Integers low, Integers high) {
  return x.apply(ops::pad, {{"low", std::move(low)}, {"high", std::move(high)}, {"mode", "constant"}, {"value", 0.0}});
}

Integers axes_of(const Site& n, int64_t rank) {
  Integers axes = n.integers("axes");
  if (!n.has("axes"))
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  return Site::axes(axes, rank);
}

/// The odd element of a crop or pad is at the end.
Values center_crop_pad(Site& n) {
  const Integers axes = axes_of(n, n.b.rank(n[0])), wanted = n.integers(1, "shape");
  if (axes.size() != wanted.size()) fail("onnx.shape", "{} extents for {} axes", wanted.size(), axes.size());
  Term x = input(n, 0);
  Integers low(x.shape().size(), 0), high = low;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const int64_t extent = x.shape()[axis], more = wanted[i] - extent;
    if (wanted[i] < 0 || wanted[i] >= int64_t{1} << 40) fail("onnx.shape", "an extent of {}", wanted[i]);
    if (more < 0) x = x.slice(axes[i], -more / 2, wanted[i]);
    low[axis] = std::max<int64_t>(0, more) / 2;
    high[axis] = std::max<int64_t>(0, more) - low[axis];
  }
  const bool grows = std::ranges::any_of(high, [](int64_t pad) { return pad > 0; });
  return {grows ? padded(x, low, high).id : x.id};
}

/// Columns [N, C*kernel, positions] as pictures: a transposed convolution whose weights pick an element each.
Values col2im(Site& n) {
  const Integers image = n.integers(1, "image_shape"), kernel = n.integers(2, "block_shape");
  const Shape x = n.b.shape(n[0]);
  const size_t axes = kernel.size();
  check_entries("block_shape", kernel, axes, 1);
  check_entries("image_shape", image, axes, 1);
  const Window w = window_of(n, kernel, image);
  if (x.size() != 3 || axes < 1 || axes > 3 || checked_bytes(kernel, 1) < 0 || x[1] % elements(kernel) != 0)
    fail("onnx.shape", "columns {} for kernels of {}", text_of(x), text_of(kernel));
  const int64_t channels = x[1] / elements(kernel), each = elements(kernel);
  Integers count, extra;
  for (size_t i = 0; i < axes; ++i) {
    const int64_t room = image[i] + w.begin[i] + w.end[i] - w.reach(i);
    count.push_back(room < 0 ? 0 : room / w.strides[i] + 1);
    extra.push_back(room % w.strides[i]);
  }
  if (elements(count) != x[2]) fail("onnx.shape", "{} columns, expected {}", x[2], text_of(count));
  Shape columns{x[0], x[1]}, weights{x[1], 1};
  columns.insert(columns.end(), count.begin(), count.end());
  weights.insert(weights.end(), kernel.begin(), kernel.end());
  const DType dtype = n.b.dtype(n[0]);
  n.b.check_size({dtype, weights});
  n.b.book(checked_bytes(weights, bytes_of(dtype)));
  std::byte* data = nullptr;
  Tensor pick = Tensor::zeros(dtype, weights, data);
  for (int64_t c = 0; c < x[1]; ++c) store_number(dtype, data + (c * each + c % each) * bytes_of(dtype), 1);
  const Term picked{&n.b, n.b.constant(std::move(pick))};
  return {input(n, 0)
              .reshaped(columns)
              .apply(ops::conv_transpose, picked,
                     {{"strides", w.strides},
                      {"pads", w.pads()},
                      {"dilations", w.dilations},
                      {"output_padding", extra},
                      {"groups", channels}})
              .id};
}

/// The condition must be known: how many are true is an extent.
Values compress(Site& n) {
  const Integers condition = n.integers(1, "condition");
  Term x = input(n, 0);
  if (!n.has("axis")) x = x.reshaped({elements(x.shape())});
  const int64_t axis = Site::axis(n.integer("axis"), std::ssize(x.shape()));
  const int64_t extent = x.shape()[static_cast<size_t>(axis)];
  Integers picked;
  for (size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == 0) continue;
    if (static_cast<int64_t>(i) >= extent) fail("onnx.shape", "element {} is outside the extent, {}", i, extent);
    picked.push_back(static_cast<int64_t>(i));
  }
  if (picked.empty()) return {x.slice(axis, 0, 0).id};
  return {x.gathered(x.with(n.b.constant(picked)), axis).id};
}

/// Indices are into the extents that the pooling came from; a larger output has zeros behind them.
Values max_unpool(Site& n) {
  const Shape x = n.b.shape(n[0]), spatial = spatial_of(n, n[0]);
  if (n.b.shape(n[1]) != x) fail("onnx.shape", "X is {}, the indices {}", text_of(x), text_of(n.b.shape(n[1])));
  const Window w = window_of(n, n.attribute("kernel_shape").integers, spatial);
  Shape from{x[0], x[1]};
  for (size_t i = 0; i < spatial.size(); ++i) {
    if (spatial[i] > int64_t{1} << 31) fail("onnx.shape", "X is {}", text_of(x));
    from.push_back((spatial[i] - 1) * w.strides[i] - w.begin[i] - w.end[i] + w.kernel[i]);
    if (from.back() < 1) fail("onnx.shape", "pads leave an extent of {}", from.back());
  }
  const Term zeros{&n.b, n.b.constant(n.b.filled(n.b.dtype(n[0]), {elements(from)}, 0))};
  const ValueId spread =
      n.make(ops::scatter, {zeros.id, input(n, 1).reshaped({elements(x)}).id, input(n, 0).reshaped({elements(x)}).id},
             {{"axis", int64_t{0}}, {"combine", "set"}});
  const Term y = zeros.with(spread).reshaped(from);
  if (!n.has(2)) return {y.id};
  Integers more = n.integers(2, "output_shape");
  if (more.size() != from.size()) fail("onnx.shape", "output_shape is {}", text_of(more));
  for (size_t i = 0; i < from.size(); ++i)
    if ((more[i] -= from[i]) < 0) fail("onnx.shape", "output_shape is below {}", text_of(from));
  if (std::ranges::all_of(more, [](int64_t extent) { return extent == 0; })) return {y.id};
  return {padded(y, Integers(from.size(), 0), more).id};
}

/// Element t of a sequence of length L is L - 1 - t before its end, and itself behind it.
Values reverse_sequence(Site& n) {
  const Term x = input(n, 0);
  const Shape shape = x.shape();
  const auto rank = std::ssize(shape);
  const int64_t time = Site::axis(n.integer("time_axis"), rank), batch = Site::axis(n.integer("batch_axis", 1), rank);
  if (time == batch || n.b.shape(n[1]) != Shape{shape[static_cast<size_t>(batch)]})
    fail("onnx.shape", "axes {} and {} of {}, lengths {}", time, batch, text_of(shape), text_of(n.b.shape(n[1])));
  Shape along(shape.size(), 1), across = along;
  along[static_cast<size_t>(time)] = shape[static_cast<size_t>(time)];
  across[static_cast<size_t>(batch)] = shape[static_cast<size_t>(batch)];
  const Term t = positions(n, shape[static_cast<size_t>(time)]).reshaped(along);
  const Term length = input(n, 1).as(DType::i64).reshaped(across);
  const Term from = where(t < length, length - 1 - t, t).broadcast(shape);
  return {x.apply(ops::gather_elements, from, {{"axis", time}}).id};
}

/// The update is written from a position of each batch on; circular positions go on at the start.
Values tensor_scatter(Site& n) {
  const Shape cache = n.b.shape(n[0]), update = n.b.shape(n[1]);
  const int64_t axis = Site::axis(n.integer("axis", -2), n.b.rank(n[0]));
  const std::string mode = n.text("mode", "linear");
  if (mode != "linear" && mode != "circular") fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  if (cache.size() != update.size() || axis == 0) fail("onnx.shape", "{} into {}", text_of(update), text_of(cache));
  const auto at = static_cast<size_t>(axis);
  for (size_t i = 0; i < cache.size(); ++i)
    if (i == at ? update[i] > cache[i] : update[i] != cache[i])
      fail("onnx.shape", "{} into {}", text_of(update), text_of(cache));
  if (elements(update) == 0) return {n[0]};
  Shape along(cache.size(), 1), across = along;
  along[at] = update[at];
  across[0] = cache[0];
  Term index = positions(n, update[at]).reshaped(along);
  if (n.has(2)) {
    if (n.b.shape(n[2]) != Shape{cache[0]}) fail("onnx.shape", "write_indices are {}", text_of(n.b.shape(n[2])));
    index = index + input(n, 2).as(DType::i64).reshaped(across);
  }
  if (mode == "circular") index = index.apply(ops::rem, index.with(n.b.integer(cache[at])));
  return {n.make(ops::scatter, {n[0], index.broadcast(update).id, n[1]}, {{"axis", axis}, {"combine", "set"}})};
}

/// Running products in log2(extent) steps: each multiplies by what is twice as far away.
Values cumprod(Site& n) {
  Term x = input(n, 0);
  const int64_t axis = Site::axis(n.integer(1, "axis"), n.b.rank(n[0]));
  const auto at = static_cast<size_t>(axis);
  const int64_t extent = x.shape()[at];
  const bool reverse = n.integer("reverse") != 0;
  const auto moved = [&](const Term& v, int64_t by) {  // Ones come in.
    Integers low(v.shape().size(), 0), high = low;
    (reverse ? high : low)[at] = by;
    const Term wide = v.apply(ops::pad, {{"low", low}, {"high", high}, {"mode", "constant"}, {"value", 1.0}});
    return wide.slice(axis, reverse ? by : 0, extent);
  };
  if (n.integer("exclusive") && extent > 0) x = moved(x, 1);
  for (int64_t by = 1; by < extent; by *= 2) x = x * moved(x, by);
  return {x.id};
}

constexpr Operator rows[] = {
    {"CenterCropPad", center_crop_pad, "pad slice", 2, 2, "axes:is"},
    {"Col2Im", col2im, "conv_transpose reshape", 3, 3, "dilations:is pads:is strides:is"},
    {"Compress", compress, "gather slice reshape", 2, 2, "axis:i"},
    {"CumProd", cumprod, "mul pad slice", 2, 2, "exclusive:i reverse:i"},
    {"MaxUnpool", max_unpool, "scatter pad reshape", 2, 3, "kernel_shape:is pads:is strides:is"},
    {"ReverseSequence", reverse_sequence, "gather_elements where less sub cast reshape broadcast", 2, 2,
     "batch_axis:i time_axis:i"},
    {"TensorScatter", tensor_scatter, "scatter add rem cast reshape broadcast", 2, 3, "axis:i mode:s"},
};

}  // namespace

std::span<const Operator> arrange_operators() { return rows; }

}  // namespace hadal::onnx
