// Convolutions: pads and extents are resolved here.
#include <algorithm>

#include "onnx/windows.h"

namespace hadal::onnx {

namespace {

Values operands(Site& n) {
  Values out{n[0], n[1]};
  if (n.has(2)) out.push_back(n[2]);
  return out;
}

Values conv(Site& n) {
  const Shape spatial = spatial_of(n, n[0]);
  const Window w = window_of(n, filter_of(n, n[0], n[1]), spatial);
  return {n.make(
      ops::conv, operands(n),
      {{"strides", w.strides}, {"pads", w.pads()}, {"dilations", w.dilations}, {"groups", n.integer("group", 1)}})};
}

/// Pads from the wanted output, or from auto_pad (which wants extent times stride).
Values conv_transpose(Site& n) {
  const Shape spatial = spatial_of(n, n[0]);
  const std::string automatic = n.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  Window w = window_of(n, filter_of(n, n[0], n[1]), spatial);
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

constexpr Operator rows[] = {
    {"Conv", conv, "conv", 2, 3, "auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is"},
    {"ConvTranspose", conv_transpose, "conv_transpose", 2, 3,
     "auto_pad:s dilations:is group:i kernel_shape:is output_padding:is output_shape:is pads:is strides:is"},
};

}  // namespace

std::span<const Operator> conv_operators() { return rows; }

}  // namespace hadal::onnx
