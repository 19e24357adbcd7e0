// Convolutions and pooling: pads, extents and ceil mode are resolved here.
#include <algorithm>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

struct Window {
  Integers kernel, strides, dilations, begin, end;
  [[nodiscard]] int64_t reach(size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
  [[nodiscard]] Integers pads() const {
    Integers out = begin;
    out.insert(out.end(), end.begin(), end.end());
    return out;
  }
};

void check_entries(std::string_view name, const Integers& list, size_t count, int64_t least) {
  if (list.size() != count) fail("onnx.attribute", "{} has {} entries for {} spatial axes", name, list.size(), count);
  for (const int64_t entry : list)
    if (entry < least || entry >= int64_t{1} << 31) fail("onnx.attribute", "{} has an entry {}", name, entry);
}

/// Attributes with their defaults; pads by auto_pad for an operand of `spatial` extents.
Window window_of(Site& n, Integers kernel, const Shape& spatial) {
  const size_t count = kernel.size();
  const auto list = [&](const char* name, int64_t otherwise) {
    return n.has(name) ? n.integers(name) : Integers(count, otherwise);
  };
  Window w{std::move(kernel), list("strides", 1), list("dilations", 1), {}, {}};
  check_entries("kernel_shape", w.kernel, count, 1);
  check_entries("strides", w.strides, count, 1);
  check_entries("dilations", w.dilations, count, 1);
  if (spatial.size() != count) fail("onnx.shape", "a kernel of {} axes over {} spatial axes", count, spatial.size());
  Integers pads = n.has("pads") ? n.integers("pads") : Integers(2 * count, 0);
  check_entries("pads", pads, 2 * count, 0);
  const std::string automatic = n.text("auto_pad", "NOTSET");
  for (size_t i = 0; i < count; ++i) {
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const int64_t out = (spatial[i] + w.strides[i] - 1) / w.strides[i];
      const int64_t total = std::max<int64_t>(0, (out - 1) * w.strides[i] + w.reach(i) - spatial[i]);
      pads[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[count + i] = total - pads[i];
    } else if (automatic == "VALID") {
      pads[i] = pads[count + i] = 0;
    } else if (automatic != "NOTSET" && !automatic.empty()) {
      fail("onnx.attribute", "auto_pad: '{}' is not known", printable(automatic));
    }
  }
  w.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(count));
  w.end.assign(pads.begin() + static_cast<int64_t>(count), pads.end());
  return w;
}

Shape spatial_of(Site& n) {
  const Shape& x = n.b.shape(n[0]);
  if (x.size() < 3 || x.size() > 5)
    fail("onnx.shape", "the operand is {}; 1 to 3 spatial axes are supported", text_of(x));
  return {x.begin() + 2, x.end()};
}

Integers filter_of(Site& n) {
  const Shape& w = n.b.shape(n[1]);
  if (w.size() != n.b.shape(n[0]).size())
    fail("onnx.shape", "weights are {}, the operand {}", text_of(w), text_of(n.b.shape(n[0])));
  const Integers kernel(w.begin() + 2, w.end());
  if (n.has("kernel_shape") && n.integers("kernel_shape") != kernel)
    fail("onnx.attribute", "kernel_shape is {}, the weights are {}", text_of(n.integers("kernel_shape")), text_of(w));
  return kernel;
}

Values operands(Site& n) {
  Values out{n[0], n[1]};
  if (n.has(2)) out.push_back(n[2]);
  return out;
}

Values conv(Site& n) {
  const Shape spatial = spatial_of(n);
  const Window w = window_of(n, filter_of(n), spatial);
  return {n.make(
      ops::conv, operands(n),
      {{"strides", w.strides}, {"pads", w.pads()}, {"dilations", w.dilations}, {"groups", n.integer("group", 1)}})};
}

/// Pads from the wanted output, or from auto_pad (which wants extent times stride).
Values conv_transpose(Site& n) {
  const Shape spatial = spatial_of(n);
  const std::string automatic = n.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  Window w = window_of(n, filter_of(n), spatial);
  Integers more = n.has("output_padding") ? n.integers("output_padding") : Integers(spatial.size(), 0);
  check_entries("output_padding", more, spatial.size(), 0);
  Integers wanted = n.integers("output_shape");
  if (wanted.empty() && same)
    for (size_t i = 0; i < spatial.size(); ++i) wanted.push_back(spatial[i] * w.strides[i]);
  if (!wanted.empty()) {
    if (wanted.size() == spatial.size() + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
    check_entries("output_shape", wanted, spatial.size(), 0);
    for (size_t i = 0; i < spatial.size(); ++i) {
      const int64_t total = w.strides[i] * (spatial[i] - 1) + more[i] + w.reach(i) - wanted[i];
      const int64_t cut = std::max<int64_t>(0, total);
      more[i] += cut - total;
      w.begin[i] = automatic == "SAME_UPPER" ? cut / 2 : cut - cut / 2;
      w.end[i] = cut - w.begin[i];
    }
  }
  return {n.make(ops::conv_transpose, operands(n),
                 {{"strides", w.strides},
                  {"pads", w.pads()},
                  {"dilations", w.dilations},
                  {"output_padding", more},
                  {"groups", n.integer("group", 1)}})};
}

/// Positions beyond the end pad that ceil mode adds; a window that would start there is dropped.
Integers ceil_extra(const Window& w, const Shape& spatial) {
  Integers extra(spatial.size(), 0);
  for (size_t i = 0; i < spatial.size(); ++i) {
    const int64_t padded = spatial[i] + w.begin[i] + w.end[i], room = padded - w.reach(i);
    if (room < 0) continue;
    int64_t out = (room + w.strides[i] - 1) / w.strides[i] + 1;
    if ((out - 1) * w.strides[i] >= spatial[i] + w.begin[i]) --out;
    extra[i] = std::max<int64_t>(0, (out - 1) * w.strides[i] + w.reach(i) - padded);
  }
  return extra;
}

Values pool(Site& n, const std::string& kind) {
  const Shape spatial = spatial_of(n);
  const Window w = window_of(n, n.attribute("kernel_shape").integers, spatial);
  Attributes attributes{
      {"kind", kind}, {"kernel", w.kernel}, {"strides", w.strides}, {"pads", w.pads()}, {"dilations", w.dilations}};
  const std::string automatic = n.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  attributes.set("extra", n.integer("ceil_mode") && !same ? ceil_extra(w, spatial) : Integers(spatial.size(), 0));
  if (kind == "mean") attributes.set("count_pad", n.integer("count_include_pad"));
  if (kind == "lp") attributes.set("p", n.integer("p", 2));
  if (kind == "max" && n.wants(1)) {
    if (n.integer("storage_order")) fail("onnx.unsupported", "storage_order 1 is not supported");
    attributes.set("indices", int64_t{1});
  }
  return n.b.make_all(ops::pool, {n[0]}, attributes);
}

Values max_pool(Site& n) { return pool(n, "max"); }
Values average_pool(Site& n) { return pool(n, "mean"); }
Values lp_pool(Site& n) { return pool(n, "lp"); }

Values global(Site& n, const std::string& kind) {
  Integers axes;
  for (int64_t i = 2; i < n.b.rank(n[0]); ++i) axes.push_back(i);
  if (axes.empty()) fail("onnx.shape", "the operand is {}: it has no spatial axes", text_of(n.b.shape(n[0])));
  return {n.b.reduce(n[0], kind, axes)};
}

Values global_average_pool(Site& n) { return global(n, "mean"); }
Values global_max_pool(Site& n) { return global(n, "max"); }
Values global_lp_pool(Site& n) {
  const int64_t p = n.integer("p", 2);
  if (p != 1 && p != 2) fail("onnx.unsupported", "p = {} is not supported", p);
  return global(n, p == 1 ? "l1" : "l2");
}

constexpr Operator rows[] = {
    {"AveragePool", average_pool, "pool", 1, 1,
     "auto_pad:s ceil_mode:i count_include_pad:i dilations:is kernel_shape:is pads:is strides:is"},
    {"Conv", conv, "conv", 2, 3, "auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is"},
    {"ConvTranspose", conv_transpose, "conv_transpose", 2, 3,
     "auto_pad:s dilations:is group:i kernel_shape:is output_padding:is output_shape:is pads:is strides:is"},
    {"GlobalAveragePool", global_average_pool, "reduce", 1, 1, ""},
    {"GlobalLpPool", global_lp_pool, "reduce", 1, 1, "p:i"},
    {"GlobalMaxPool", global_max_pool, "reduce", 1, 1, ""},
    {"LpPool", lp_pool, "pool", 1, 1, "auto_pad:s ceil_mode:i dilations:is kernel_shape:is p:i pads:is strides:is"},
    {"MaxPool", max_pool, "pool", 1, 1,
     "auto_pad:s ceil_mode:i dilations:is kernel_shape:is pads:is storage_order:i strides:is"},
};

}  // namespace

std::span<const Operator> conv_operators() { return rows; }

}  // namespace hadal::onnx
