// Operators that read a picture between its elements: corners are gathered and weighted.
#include <cmath>

#include "onnx/terms.h"
#include "onnx/windows.h"

namespace hadal::onnx {

namespace {

/// The elements along an axis that each position is between, and their weights: [..., taps].
struct Taps {
  Term position, weight;
};

/// A value [N,C,spatial...] whose elements are looked up one by one: a row of channels for each position.
class Picture {
 public:
  explicit Picture(const Term& x) : shape_(x.shape()), rows_(x) {
    Integers order{0};
    for (int64_t i = 2; i < std::ssize(shape_); ++i) order.push_back(i);
    order.push_back(1);
    rows_ = x.transposed(order).reshaped({elements(shape_) / std::max<int64_t>(1, shape_[1]), shape_[1]});
  }
  [[nodiscard]] size_t axes() const { return shape_.size() - 2; }
  [[nodiscard]] int64_t extent(size_t axis) const { return shape_[axis + 2]; }

  /// The rows at `position` (i64, one term an axis, inside the extents) of picture `batch`: their shape and [C].
  [[nodiscard]] Term at(const std::vector<Term>& position, const Term& batch) const {
    Term flat = batch;
    for (size_t axis = 0; axis < axes(); ++axis)
      flat = flat * flat.with(flat.b().integer(extent(axis))) + position[axis];
    return rows_.gathered(flat, 0);
  }

  /// The rows that all taps name together, and their weights, for positions of one axis: [P, taps an axis..., C] and
  /// [P, taps an axis..., 1]. `batch` is [P].
  struct Neighbours {
    Term rows, weight;
  };
  [[nodiscard]] Neighbours neighbours(const std::vector<Taps>& taps, const Term& batch) const {
    std::vector<Term> position;
    std::optional<Term> weight;
    const int64_t count = elements(batch.shape());
    for (size_t axis = 0; axis < axes(); ++axis) {
      Shape apart(axes() + 1, 1);
      apart[0] = count;
      apart[axis + 1] = taps[axis].weight.shape().back();
      position.push_back(taps[axis].position.reshaped(apart));
      const Term own = taps[axis].weight.reshaped(apart);
      weight = weight ? *weight * own : own;
    }
    Shape first(axes() + 1, 1);
    first[0] = count;
    const Term rows = at(position, batch.reshaped(first));
    Shape with_channel = weight->shape();
    with_channel.push_back(1);
    return {rows, weight->as(rows.dtype()).reshaped(with_channel)};
  }
  /// The weighted sum of each position's neighbours: [P, C].
  [[nodiscard]] Term interpolated(const std::vector<Taps>& taps, const Term& batch) const {
    const Neighbours near = neighbours(taps, batch);
    Integers sides;
    for (size_t axis = 0; axis < axes(); ++axis) sides.push_back(static_cast<int64_t>(axis) + 1);
    return (near.rows * near.weight).reduced("sum", sides, false);
  }

 private:
  Shape shape_;
  Term rows_;
};

struct Sampling {
  std::string mode, padding;
  bool align_corners = false;
};

/// Mirrored at the borders until inside.
Term reflected(const Term& x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return x * 0;
  const Term away = (x - low).apply(ops::abs);
  const Term folds = (away / range).apply(ops::floor);
  const Term rest = away - folds * range;
  const Term odd = folds - (folds / 2).apply(ops::floor) * 2;
  return where(equal(odd, 0), rest + low, high - rest);
}

/// Whole positions, perhaps outside: those inside that stand for them; outside with zeros the weight is 0.
Taps inside(const Sampling& how, Term position, Term weight, int64_t extent) {
  const auto last = static_cast<double>(extent - 1);
  if (how.padding == "zeros") weight = where((position >= 0) & (position <= last), weight, weight.number(0));
  if (how.padding == "reflection")
    position = how.align_corners ? reflected(position, 0, last) : reflected(position, -0.5, last + 0.5);
  return {clamp(position, 0, last).as(DType::i64), weight};
}

/// The weights of Keys, 1981, for a position t behind the second of four elements.
std::vector<Term> cubic_weights(const Term& t) {
  constexpr double a = -0.75;
  const auto outer = [&](const Term& d) { return ((d * a - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto inner = [&](const Term& d) { return (d * (a + 2) - (a + 3)) * d * d + 1; };
  return {outer(t + 1), inner(t), inner(1 - t), outer(2 - t)};
}

/// Of positions [...]; the taps are a new last axis.
Taps taps_of(const Sampling& how, const Term& position, int64_t extent) {
  Shape apart = position.shape();
  apart.push_back(1);
  const Term x = position.reshaped(apart);
  if (how.mode == "nearest") return inside(how, x.apply(ops::round), x * 0 + 1, extent);
  const Term first = x.apply(ops::floor), t = x - first;
  const auto axis = std::ssize(apart) - 1;
  const std::vector<Term> weights = how.mode == "linear" ? std::vector<Term>{1 - t, t} : cubic_weights(t);
  const Tensor steps = how.mode == "linear" ? Tensor::of(DType::f64, {2}, std::vector<double>{0, 1})
                                            : Tensor::of(DType::f64, {4}, std::vector<double>{-1, 0, 1, 2});
  return inside(how, first + x.with(x.b().constant(hadal::cast(steps, x.dtype()))), joined(weights, axis), extent);
}

/// [N, ..., C] as [N, C, ...].
Term channels_second(const Term& x) {
  const auto rank = std::ssize(x.shape());
  Integers order{0, rank - 1};
  for (int64_t i = 1; i < rank - 1; ++i) order.push_back(i);
  return x.transposed(order);
}

/// The number of its picture for each position of `shape`, whose first axis is the batch.
Term batch_numbers(Site& n, const Shape& shape) {
  Shape along(shape.size(), 1);
  along[0] = shape[0];
  return positions(n, shape[0]).reshaped(along).broadcast(shape).reshaped({elements(shape)});
}

Sampling sampling_of(const Site& n) {
  Sampling how{n.text("mode", n.opset < 20 ? "bilinear" : "linear"), n.text("padding_mode", "zeros"),
               n.integer("align_corners") != 0};
  if (how.mode == "bilinear") how.mode = "linear";
  if (how.mode == "bicubic") how.mode = "cubic";
  if (how.mode != "linear" && how.mode != "cubic" && how.mode != "nearest")
    fail("onnx.attribute", "mode: '{}' is not known", printable(how.mode));
  if (how.padding != "zeros" && how.padding != "border" && how.padding != "reflection")
    fail("onnx.attribute", "padding_mode: '{}' is not known", printable(how.padding));
  return how;
}

/// The grid's last axis names a position in -1..1, the last spatial axis first.
Values grid_sample(Site& n) {
  const Shape x = n.b.shape(n[0]), grid = n.b.shape(n[1]);
  const auto axes = std::ssize(x) - 2;
  if (axes < 1 || axes > 3 || grid.size() != x.size() || grid[0] != x[0] || grid.back() != axes || elements(x) == 0)
    fail("onnx.shape", "X is {} and the grid {}", text_of(x), text_of(grid));
  const Sampling how = sampling_of(n);
  const Picture picture(input(n, 0));
  Shape out(grid.begin(), grid.end() - 1);
  std::vector<Taps> taps;
  for (int64_t axis = 0; axis < axes; ++axis) {
    const auto extent = static_cast<double>(x[static_cast<size_t>(axis) + 2]);
    const Term stated = input(n, 1).slice(std::ssize(grid) - 1, axes - 1 - axis, 1).reshaped({elements(out)});
    const Term at = how.align_corners ? (stated + 1) * ((extent - 1) / 2) : ((stated + 1) * extent - 1) * 0.5;
    taps.push_back(taps_of(how, at, static_cast<int64_t>(extent)));
  }
  const Term sampled = picture.interpolated(taps, batch_numbers(n, out));
  out.push_back(x[1]);
  return {channels_second(sampled.reshaped(out)).id};
}

/// The grid of an affine map: theta times the (constant) positions of all elements.
Values affine_grid(Site& n) {
  const Integers size = n.integers(1, "size");
  const auto axes = std::ssize(size) - 2;
  const Shape theta = n.b.shape(n[0]);
  if ((axes != 2 && axes != 3) || theta != Shape{size[0], axes, axes + 1})
    fail("onnx.shape", "theta is {}, size has {} entries", text_of(theta), size.size());
  const bool align = n.integer("align_corners") != 0;
  const Shape spatial(size.begin() + 2, size.end());
  const DType dtype = n.b.dtype(n[0]);
  for (const int64_t extent : spatial)
    if (extent < 1) fail("onnx.shape", "size is {}", text_of(size));
  n.b.check_size({dtype, size});
  std::vector<Term> columns;  // x first
  for (int64_t axis = axes - 1; axis >= 0; --axis) {
    const int64_t extent = spatial[static_cast<size_t>(axis)];
    std::vector<double> values;
    for (int64_t i = 0; i < extent; ++i) {
      const auto at = static_cast<double>(i), count = static_cast<double>(extent);
      values.push_back(align ? (extent == 1 ? -1 : 2 * at / (count - 1) - 1) : (2 * at + 1) / count - 1);
    }
    Shape along(static_cast<size_t>(axes), 1);
    along[static_cast<size_t>(axis)] = extent;
    const Tensor wide = Tensor::of(DType::f64, along, values);
    const Term column{&n.b, n.b.constant(hadal::cast(wide, dtype))};
    columns.push_back(column.broadcast(spatial).reshaped({elements(spatial), 1}));
  }
  const Term x{&n.b, n.b.constant(n.b.filled(dtype, {elements(spatial), 1}, 1))};
  columns.push_back(x);
  const Term grid = product(joined(columns, 1), input(n, 0), true);
  Shape out{size[0]};
  out.insert(out.end(), spatial.begin(), spatial.end());
  out.push_back(axes);
  return {grid.reshaped(out).id};
}

/// One spatial axis of RoiAlign: where each sample of each box lies, [boxes, outputs * samples].
Term samples_of(Site& n, int64_t axis, int64_t outputs, int64_t samples) {
  const bool half_pixel =
      n.text("coordinate_transformation_mode", n.opset < 16 ? "output_half_pixel" : "half_pixel") == "half_pixel";
  const auto edge = [&](int64_t i) {
    return input(n, 1).slice(1, i, 1) * n.number("spatial_scale", 1) - (half_pixel ? 0.5 : 0);
  };
  const Term start = edge(1 - axis);
  Term size = edge(3 - axis) - start;
  if (!half_pixel) size = max(size, size.number(1));
  std::vector<double> shares;
  const auto all = static_cast<double>(outputs * samples);
  for (int64_t i = 0; i < outputs * samples; ++i) shares.push_back((static_cast<double>(i) + 0.5) / all);
  const Tensor wide = Tensor::of(DType::f64, {1, outputs * samples}, shares);
  return start + size * size.with(n.b.constant(hadal::cast(wide, size.dtype())));
}

/// Two neighbours; a position beyond the border by one is the border, further away is nothing. [..., 2]
Taps box_taps(const Term& position, int64_t extent) {
  Shape apart = position.shape();
  apart.push_back(1);
  const Term x = position.reshaped(apart);
  const auto last = static_cast<double>(extent - 1), axis = static_cast<double>(apart.size() - 1);
  const Term counts = (x >= -1) & (x <= static_cast<double>(extent));
  const Term at = clamp(x, 0, last), low = at.apply(ops::floor), t = at - low;
  const Term weights = joined({1 - t, t}, static_cast<int64_t>(axis));
  return {joined({low, clamp(low + 1, 0, last)}, static_cast<int64_t>(axis)).as(DType::i64),
          where(counts, weights, weights.number(0))};
}

/// Each output is the mean (or the largest weighted corner) of samples x samples positions.
Values roi_align(Site& n) {
  const Shape x = n.b.shape(n[0]), rois = n.b.shape(n[1]);
  const int64_t samples = n.integer("sampling_ratio"), height = n.integer("output_height", 1),
                width = n.integer("output_width", 1);
  if (x.size() != 4 || rois.size() != 2 || rois[1] != 4 || n.b.shape(n[2]) != Shape{rois[0]} || elements(x) == 0 ||
      rois[0] < 1)
    fail("onnx.shape", "X is {}, rois {}, batch_indices {}", text_of(x), text_of(rois), text_of(n.b.shape(n[2])));
  if (samples < 1) fail("onnx.unsupported", "sampling_ratio 0 (as many samples as a box is large) is not supported");
  if (height < 1 || width < 1 || samples > 64 || height > 65536 || width > 65536)
    fail("onnx.attribute", "{} samples for an output of {}x{}", samples, height, width);
  const std::string mode = n.text("mode", "avg");
  if (mode != "avg" && mode != "max") fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  const int64_t boxes = rois[0], rows = height * samples, columns = width * samples, channels = x[1];
  const Shape all{boxes, rows, columns};
  const auto spread = [&](const Taps& taps, const Shape& from) {  // To every position of a box.
    Shape one = from, wide = all;
    one.push_back(2), wide.push_back(2);
    const auto over = [&](const Term& v) { return v.reshaped(one).broadcast(wide).reshaped({elements(all), 2}); };
    return Taps{over(taps.position), over(taps.weight)};
  };
  const std::vector<Taps> taps{spread(box_taps(samples_of(n, 0, height, samples), x[2]), {boxes, rows, 1}),
                               spread(box_taps(samples_of(n, 1, width, samples), x[3]), {boxes, 1, columns})};
  const Term batch = input(n, 2).as(DType::i64).reshaped({boxes, 1, 1}).broadcast(all).reshaped({elements(all)});
  const Picture::Neighbours near = Picture(input(n, 0)).neighbours(taps, batch);
  const bool mean = mode == "avg";
  const Term each = (near.rows * near.weight).reduced(mean ? "sum" : "max", {1, 2}, false);
  const Term cells = each.reshaped({boxes, height, samples, width, samples, channels});
  return {channels_second(cells.reduced(mean ? "mean" : "max", {2, 4}, false)).id};
}

// ---- DeformConv

/// Where each tap of the kernel reads for each output, along one of two axes: [N, taps, rows, columns].
Term tap_positions(Site& n, const Window& w, const Term& offset, size_t axis, const Shape& out) {
  const int64_t taps = w.kernel[0] * w.kernel[1];
  std::vector<double> steps, starts;
  for (int64_t tap = 0; tap < taps; ++tap)
    steps.push_back(
        static_cast<double>((axis == 0 ? tap / w.kernel[1] : tap % w.kernel[1]) * w.dilations[axis] - w.begin[axis]));
  for (int64_t i = 0; i < out[axis]; ++i) starts.push_back(static_cast<double>(i * w.strides[axis]));
  const auto constant = [&](const Shape& shape, const std::vector<double>& values) {
    return Term{&n.b, n.b.constant(hadal::cast(Tensor::of(DType::f64, shape, values), offset.dtype()))};
  };
  return offset + constant({taps, 1, 1}, steps) + constant(axis == 0 ? Shape{out[0], 1} : Shape{1, out[1]}, starts);
}

/// A convolution whose taps are moved, each by its own offsets; between elements they are interpolated.
Values deform_conv(Site& n) {
  const Term x = input(n, 0), offset = input(n, 2);
  const Shape s = x.shape(), filter = n.b.shape(n[1]), spatial = spatial_of(n, n[0]);
  const Window w = window_of(n, filter_of(n, n[0], n[1]), spatial);
  const int64_t groups = n.integer("group", 1), moved = n.integer("offset_group", 1);
  if (s.size() != 4) fail("onnx.unsupported", "DeformConv over {} axes is not supported", s.size() - 2);
  const int64_t taps = w.kernel[0] * w.kernel[1], batch = s[0];
  Shape out;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t room = spatial[i] + w.begin[i] + w.end[i] - w.reach(i);
    out.push_back(room < 0 ? 0 : room / w.strides[i] + 1);
  }
  const int64_t points = out[0] * out[1];
  if (groups < 1 || moved < 1 || s[1] != filter[1] * groups || filter[0] % groups != 0 || s[1] % moved != 0 ||
      offset.shape() != Shape{batch, moved * taps * 2, out[0], out[1]} || points < 1 || elements(s) == 0)
    fail("onnx.shape", "X is {}, W {}, the offsets are {}", text_of(s), text_of(filter), text_of(offset.shape()));
  if (n.has(4) && n.b.shape(n[4]) != Shape{batch, moved * taps, out[0], out[1]})
    fail("onnx.shape", "the mask is {}", text_of(n.b.shape(n[4])));
  const Sampling how{"linear", "zeros", true};
  const Shape positions_shape{batch, taps, out[0], out[1]};
  const int64_t channels = s[1] / moved;
  std::vector<Term> columns;  // Of each offset group: [N, channels, taps, points].
  for (int64_t g = 0; g < moved; ++g) {
    std::vector<Taps> both;
    for (size_t axis = 0; axis < 2; ++axis) {
      const Term own = offset.slice(1, g * taps * 2, taps * 2)
                           .reshaped({batch, taps, 2, points})
                           .slice(2, static_cast<int64_t>(axis), 1)
                           .reshaped(positions_shape);
      both.push_back(
          taps_of(how, tap_positions(n, w, own, axis, out).reshaped({elements(positions_shape)}), spatial[axis]));
    }
    Term read = Picture(x.slice(1, g * channels, channels)).interpolated(both, batch_numbers(n, positions_shape));
    if (n.has(4)) read = read * input(n, 4).slice(1, g * taps, taps).reshaped({elements(positions_shape), 1});
    columns.push_back(read.reshaped({batch, taps, points, channels}).transposed({0, 3, 1, 2}));
  }
  const Term all = joined(columns, 1).reshaped({batch, groups, filter[1] * taps, points});
  const Term weights = input(n, 1).reshaped({groups, filter[0] / groups, filter[1] * taps});
  const Term y = product(weights, all).reshaped({batch, filter[0], out[0], out[1]});
  return {n.has(3) ? (y + input(n, 3).reshaped({filter[0], 1, 1})).id : y.id};
}

constexpr std::string_view sampling_ops =
    "gather reduce concat reshape transpose slice broadcast cast add sub mul div floor round abs clip where equal "
    "less_equal greater_equal and";

constexpr Operator rows[] = {
    {"AffineGrid", affine_grid, "matmul concat broadcast slice reshape", 2, 2, "align_corners:i"},
    {"DeformConv", deform_conv,
     "gather matmul reduce concat reshape transpose slice broadcast cast add sub mul floor clip where less_equal "
     "greater_equal and",
     3, 5, "dilations:is group:i kernel_shape:is offset_group:i pads:is strides:is"},
    {"GridSample", grid_sample, sampling_ops, 2, 2, "align_corners:i mode:s padding_mode:s"},
    {"RoiAlign", roi_align,
     "gather reduce max concat reshape transpose slice broadcast cast add sub mul floor clip where less_equal "
     "greater_equal and",
     3, 3, "coordinate_transformation_mode:s mode:s output_height:i output_width:i sampling_ratio:i spatial_scale:f"},
};

}  // namespace

std::span<const Operator> sample_operators() { return rows; }

}  // namespace hadal::onnx
