#include "graph/ops/resize.h"

#include <set>

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph {

namespace {

/// One axis of a resize.
struct Line {
  int64_t in, out;
  double scale, roi_first, roi_last;
};

/// Position in the operand of result position i.
double coordinate(const std::string& mode, const Line& line, int64_t i) {
  const auto x = static_cast<double>(i), in = static_cast<double>(line.in), out = static_cast<double>(line.out);
  if (mode == "asymmetric") return x / line.scale;
  if (mode == "align_corners") return line.out == 1 ? 0 : x * (in - 1) / (in * line.scale - 1);
  if (mode == "pytorch_half_pixel") return line.out == 1 ? 0 : (x + 0.5) / line.scale - 0.5;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / line.scale;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = out / (line.scale * in);
    return in / 2 * (1 - adjustment) + (x + 0.5) / line.scale - 0.5;
  }
  if (mode == "tf_crop_and_resize") {
    if (line.out == 1) return 0.5 * (line.roi_first + line.roi_last) * (in - 1);
    return line.roi_first * (in - 1) + x * (line.roi_last - line.roi_first) * (in - 1) / (out - 1);
  }
  return (x + 0.5) / line.scale - 0.5;
}

int64_t nearest(const std::string& rounding, double x, double scale) {
  double rounded = 0;
  if (rounding == "floor")
    rounded = std::floor(x);
  else if (rounding == "ceil")
    rounded = std::ceil(x);
  else if (rounding == "round_prefer_ceil")
    rounded = std::floor(x + 0.5);
  else if (rounding == "simple")  // that of opset 10 and older
    rounded = scale < 1 ? std::ceil(x) : std::trunc(x);
  else
    rounded = std::ceil(x - 0.5);
  return static_cast<int64_t>(rounded);
}

double linear_weight(double distance) { return std::max(0.0, 1 - std::fabs(distance)); }

/// Keys' cubic convolution.
double cubic_weight(double distance, double a) {
  const double d = std::fabs(distance);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

struct Kernel {
  bool cubic = false, exclude_outside = false;
  double a = -0.75;
  double shrink = 1;  ///< Below 1, the kernel is widened against aliasing.
};

/// Taps of the result at operand position x, appended to the table.
void append_taps(const Kernel& kernel, double x, int64_t extent, ResizeTable& table) {
  const double support = (kernel.cubic ? 2 : 1) / kernel.shrink;
  const auto first = static_cast<int64_t>(std::floor(x) - std::ceil(support)) + 1;
  std::vector<double> weights(index(table.taps));
  double sum = 0;
  for (int t = 0; t < table.taps; ++t) {
    const int64_t at = first + t;
    const double distance = (static_cast<double>(at) - x) * kernel.shrink;
    double weight = kernel.cubic ? cubic_weight(distance, kernel.a) : linear_weight(distance);
    if (kernel.exclude_outside && (at < 0 || at >= extent)) weight = 0;
    weights[index(t)] = weight;
    sum += weight;
  }
  for (int t = 0; t < table.taps; ++t) {
    table.indices.push_back(std::clamp<int64_t>(first + t, 0, extent - 1));
    table.weights.push_back(static_cast<float>(sum == 0 ? 0 : weights[index(t)] / sum));
  }
}

ResizeTable table_of(int axis, const Line& line, const Attributes& a) {
  const std::string mode = a.text("mode", "nearest"), coordinates = a.text("coordinates", "half_pixel");
  const std::string rounding = a.text("rounding", "round_prefer_floor");
  const bool crop = coordinates == "tf_crop_and_resize";
  Kernel kernel;
  kernel.cubic = mode == "cubic";
  kernel.a = a.number("cubic", -0.75);
  kernel.exclude_outside = a.integer("exclude_outside") != 0;
  if (a.integer("antialias")) kernel.shrink = std::min(1.0, line.scale);
  const double support = (kernel.cubic ? 2 : 1) / kernel.shrink;
  ResizeTable table{axis, mode == "nearest" ? 1 : 2 * static_cast<int>(std::ceil(support)), {}, {}};
  for (int64_t i = 0; i < line.out; ++i) {
    const double x = coordinate(coordinates, line, i);
    if (crop && (x < 0 || x > static_cast<double>(line.in - 1))) {
      table.indices.insert(table.indices.end(), index(table.taps), -1);
      table.weights.push_back(1);
      table.weights.insert(table.weights.end(), index(table.taps - 1), 0);
    } else if (mode == "nearest") {
      table.indices.push_back(std::clamp<int64_t>(nearest(rounding, x, line.scale), 0, line.in - 1));
      table.weights.push_back(1);
    } else {
      append_taps(kernel, x, line.in, table);
    }
  }
  return table;
}

Status check(const Shape& shape, const Attributes& a) {
  static const std::set<std::string> modes{"nearest", "linear", "cubic"};
  static const std::set<std::string> coordinates{"half_pixel",          "half_pixel_symmetric", "pytorch_half_pixel",
                                                 "align_corners",       "asymmetric",           "tf_crop_and_resize",
                                                 "tf_half_pixel_for_nn"};
  static const std::set<std::string> roundings{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"};
  const auto one_of = [](const std::string& what, const std::string& value,
                         const std::set<std::string>& known) -> Status {
    if (known.contains(value)) return {};
    return rule("resize.attribute", "{}: '{}' is not known", what, printable(value));
  };
  HADAL_CHECK(one_of("mode", a.text("mode", "nearest"), modes));
  HADAL_CHECK(one_of("coordinates", a.text("coordinates", "half_pixel"), coordinates));
  HADAL_CHECK(one_of("rounding", a.text("rounding", "round_prefer_floor"), roundings));
  HADAL_CHECK(check_count("resize", "sizes", a.integers("sizes"), shape.size()));
  if (a.numbers("scales").size() != shape.size())
    return rule("resize.attribute", "scales needs {} entries", shape.size());
  if (a.has("roi") && a.numbers("roi").size() != 2 * shape.size())
    return rule("resize.attribute", "roi needs {} entries", 2 * shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    const double scale = a.numbers("scales")[i];
    if (!(scale > 0x1p-20 && scale < 0x1p31)) return rule("resize.C1", "axis {}: the scale is {}", i, scale);
    if (a.integers("sizes")[i] < 0 || (shape[i] == 0 && a.integers("sizes")[i] > 0))
      return rule("resize.C2", "axis {}: {} elements from {}", i, a.integers("sizes")[i], shape[i]);
    if (a.integers("sizes")[i] > int64_t{1} << 31) return rule("resize.C3", "axis {} is too large", i);
  }
  return {};
}

}  // namespace

Result<std::vector<ResizeTable>> resize_tables(const Shape& shape, const Attributes& a) {
  HADAL_CHECK(check(shape, a));
  const Integers sizes = a.integers("sizes");
  const std::vector<double> scales = a.numbers("scales"), roi = a.numbers("roi");
  const bool crop = a.text("coordinates", "half_pixel") == "tf_crop_and_resize" && !roi.empty();
  std::vector<ResizeTable> tables;
  for (size_t i = 0; i < shape.size(); ++i) {
    const Line line{shape[i], sizes[i], scales[i], roi.empty() ? 0 : roi[i], roi.empty() ? 1 : roi[shape.size() + i]};
    const bool whole = !crop || (line.roi_first == 0 && line.roi_last == 1);
    if (line.in == line.out && line.scale == 1 && whole) continue;
    tables.push_back(table_of(static_cast<int>(i), line, a));
  }
  return tables;
}

namespace ops {

namespace {

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("resize", in, 1, 1));
  HADAL_CHECK(check(in[0]->shape, a));
  if (checked_bytes(a.integers("sizes"), bytes_of(in[0]->dtype)) < 0)
    return rule("resize.C4", "the result is too large");
  return std::vector<Type>{{in[0]->dtype, a.integers("sizes")}};
}

/// Interpolates along one axis; sums are f64.
Tensor apply(const Tensor& x, const ResizeTable& table) {
  const auto axis = static_cast<size_t>(table.axis);
  Shape shape = x.shape;
  shape[axis] = static_cast<int64_t>(table.indices.size()) / table.taps;
  Output out(x.dtype, shape);
  const int64_t slab = extent_of(shape, axis + 1, shape.size());
  std::vector<double> sums(index(slab)), row(index(slab));
  for (int64_t r = 0; r < extent_of(shape, 0, axis); ++r)
    for (int64_t i = 0; i < shape[axis]; ++i) {
      std::fill(sums.begin(), sums.end(), 0);
      for (int t = 0; t < table.taps; ++t) {
        const auto weight = static_cast<double>(table.weights[index(i * table.taps + t)]);
        const int64_t from = std::max<int64_t>(0, table.indices[index(i * table.taps + t)]);
        if (weight == 0) continue;
        read_row(x, (r * x.shape[axis] + from) * slab, 1, slab, row.data());
        for (size_t j = 0; j < sums.size(); ++j) sums[j] += weight * row[j];
      }
      write_row(x.dtype, out.data, (r * shape[axis] + i) * slab, slab, sums.data());
    }
  return out.tensor;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const bool interpolates = a.text("mode", "nearest") != "nearest";
  const DType dtype = results[0].dtype;
  Tensor x = interpolates ? hadal::cast(*in[0], DType::f64) : *in[0];
  const std::vector<ResizeTable> tables = *resize_tables(in[0]->shape, a);
  for (const ResizeTable& table : tables) x = apply(x, table);
  return {hadal::cast(x, dtype)};
}

/// Interpolation along an axis is a product with a matrix [out, in] of its taps' weights.
Term taps_of(Backward& n, const ResizeTable& table, int64_t extent, DType dtype) {
  const auto out = static_cast<int64_t>(table.indices.size()) / table.taps;
  std::vector<double> weights(index(out * extent), 0);
  for (size_t i = 0; i < table.indices.size(); ++i)
    weights[i / index(table.taps) * index(extent) + index(std::max<int64_t>(0, table.indices[i]))] +=
        static_cast<double>(table.weights[i]);
  return {&n.b, n.b.constant(hadal::cast(Tensor::of(DType::f64, {out, extent}, weights), dtype))};
}

void gradient(Backward& n) {
  const Shape shape = n.in(0).shape();
  const std::vector<ResizeTable> tables = *resize_tables(shape, n.node.attributes);
  Term g = n.upstream();
  for (const ResizeTable& table : tables) {
    const Integers order = axes_last({table.axis}, shape.size());
    const Term taps = taps_of(n, table, shape[index(table.axis)], g.dtype());
    Term rows = g.transposed(order);
    Shape to = rows.shape();
    to.back() = taps.shape()[1];
    rows = rows.reshaped({elements(rows.shape()) / rows.shape().back(), rows.shape().back()});
    g = graph::product(rows, taps).reshaped(to).transposed(inverse(order));
  }
  n.give(0, g);
}

}  // namespace

const Op resize{"resize",
                "Interpolation along axes: nearest, linear or cubic.",
                {"mode", "coordinates", "rounding", "sizes", "scales", "roi", "cubic", "exclude_outside", "antialias"},
                infer,
                reference,
                gradient};

}  // namespace ops

}  // namespace hadal::graph
