// Resize and Upsample: scales, sizes and the policy between them are resolved here.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/ops/resize.h"
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

/// Per axis of the operand.
struct Plan {
  Integers sizes;
  std::vector<double> scales;
};

Plan by_scales(const Shape& x, const Integers& axes, const std::vector<double>& scales) {
  Plan plan{x, std::vector<double>(x.size(), 1)};
  if (scales.size() != axes.size()) fail("onnx.shape", "{} scales for {} axes", scales.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const double size = std::floor(static_cast<double>(x[axis]) * scales[i]);
    if (!(scales[i] > 0) || !(size < 0x1p31)) fail("onnx.shape", "axis {}: the scale is {}", axis, scales[i]);
    plan.scales[axis] = scales[i];
    plan.sizes[axis] = static_cast<int64_t>(size);
  }
  return plan;
}

Plan by_sizes(const Shape& x, const Integers& axes, const Integers& sizes, const std::string& policy) {
  Plan plan{x, std::vector<double>(x.size(), 1)};
  if (sizes.size() != axes.size()) fail("onnx.shape", "{} sizes for {} axes", sizes.size(), axes.size());
  double common = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    if (x[axis] < 1 || sizes[i] < 0 || sizes[i] >= int64_t{1} << 31)
      fail("onnx.shape", "axis {}: {} elements from {}", axis, sizes[i], x[axis]);
    plan.sizes[axis] = sizes[i];
    plan.scales[axis] = static_cast<double>(sizes[i]) / static_cast<double>(x[axis]);
    const bool better = policy == "not_larger" ? plan.scales[axis] < common : plan.scales[axis] > common;
    if (i == 0 || better) common = plan.scales[axis];
  }
  if (policy == "stretch") return plan;
  if (policy != "not_larger" && policy != "not_smaller")
    fail("onnx.attribute", "keep_aspect_ratio_policy: '{}' is not known", printable(policy));
  for (const int64_t axis : axes) {
    const auto at = static_cast<size_t>(axis);
    plan.scales[at] = common;
    plan.sizes[at] = static_cast<int64_t>(std::floor(common * static_cast<double>(x[at]) + 0.5));
  }
  return plan;
}

std::string mode_of(const Site& n) {
  const std::string mode = n.text("mode", "nearest");
  return mode == "bilinear" || mode == "trilinear" ? "linear" : mode;
}

/// Opset 10 and older: no choice of coordinates or rounding.
Values upsample(Site& n) {
  const Shape x = n.b.shape(n[0]);
  Integers axes(x.size());
  std::iota(axes.begin(), axes.end(), 0);
  const Plan plan = by_scales(x, axes, n.has("scales") ? n.attribute("scales").numbers : n.numbers(1, "scales"));
  return {n.make(ops::resize, {n[0]},
                 {{"mode", mode_of(n)},
                  {"coordinates", "asymmetric"},
                  {"rounding", "simple"},
                  {"sizes", plan.sizes},
                  {"scales", plan.scales}})};
}

/// What a crop has outside the operand is one value.
Term extrapolated(Site& n, Term y, const Shape& x, const Attributes& attributes) {
  const auto tables = graph::resize_tables(x, attributes);
  if (!tables) throw Failure{tables.error()};
  for (const graph::ResizeTable& table : *tables) {
    std::vector<uint8_t> outside;
    for (size_t i = 0; i < table.indices.size(); i += static_cast<size_t>(table.taps))
      outside.push_back(table.indices[i] < 0);
    if (std::ranges::count(outside, 1) == 0) continue;
    Shape along(x.size(), 1);
    along[static_cast<size_t>(table.axis)] = std::ssize(outside);
    const Term mask = y.with(n.b.constant(Tensor::of(DType::boolean, along, outside)));
    y = where(mask, y.number(n.number("extrapolation_value")), y);
  }
  return y;
}

Values resize(Site& n) {
  if (n.opset < 11) return upsample(n);
  const Shape x = n.b.shape(n[0]);
  Integers axes(x.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (n.has("axes")) axes = Site::axes(n.integers("axes"), n.b.rank(n[0]));
  const bool scaled = n.has(2) && elements(n.b.shape(n[2])) > 0;
  if (!scaled && !n.has(3)) fail("onnx.graph", "Resize has neither scales nor sizes");
  const Plan plan = scaled ? by_scales(x, axes, n.numbers(2, "scales"))
                           : by_sizes(x, axes, n.integers(3, "sizes"), n.text("keep_aspect_ratio_policy", "stretch"));
  Attributes attributes{{"mode", mode_of(n)},
                        {"coordinates", n.text("coordinate_transformation_mode", "half_pixel")},
                        {"rounding", n.text("nearest_mode", "round_prefer_floor")},
                        {"sizes", plan.sizes},
                        {"scales", plan.scales},
                        {"cubic", n.number("cubic_coeff_a", -0.75)},
                        {"exclude_outside", n.integer("exclude_outside")},
                        {"antialias", n.integer("antialias")}};
  if (attributes.text("coordinates") == "tf_crop_and_resize") {
    const std::vector<double> given = n.numbers(1, "roi");
    if (given.size() != 2 * axes.size())
      fail("onnx.shape", "roi has {} entries for {} axes", given.size(), axes.size());
    std::vector<double> roi(2 * x.size(), 0);
    std::fill(roi.begin() + static_cast<int64_t>(x.size()), roi.end(), 1);
    for (size_t i = 0; i < axes.size(); ++i) {
      roi[static_cast<size_t>(axes[i])] = given[i];
      roi[x.size() + static_cast<size_t>(axes[i])] = given[axes.size() + i];
    }
    attributes.set("roi", roi);
  }
  const Term y{&n.b, n.make(ops::resize, {n[0]}, attributes)};
  return {extrapolated(n, y, x, attributes).id};
}

constexpr Operator rows[] = {
    {"Resize", resize, "resize where", 1, 4,
     "antialias:i axes:is coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f "
     "keep_aspect_ratio_policy:s mode:s nearest_mode:s"},
    {"Upsample", upsample, "resize", 1, 2, "mode:s scales:fs"},
};

}  // namespace

std::span<const Operator> resize_operators() { return rows; }

}  // namespace hadal::onnx
