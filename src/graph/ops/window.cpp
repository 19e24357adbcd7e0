#include "graph/ops/window.h"

namespace hadal::graph {

Result<Window> window_of(std::string_view op, const Integers& kernel, const Attributes& attributes) {
  const size_t n = kernel.size();
  const auto list = [&](const char* name, size_t count, int64_t otherwise) {
    return attributes.has(name) ? attributes.integers(name) : Integers(count, otherwise);
  };
  const std::string code = fmt::format("{}.window", op);
  if (n < 1 || n > 3) return rule(code, "1 to 3 spatial axes, found {}", n);
  Window window{kernel, list("strides", n, 1), list("dilations", n, 1), {}, {}};
  const Integers pads = list("pads", 2 * n, 0);
  HADAL_CHECK(check_count(op, "strides", window.strides, n));
  HADAL_CHECK(check_count(op, "dilations", window.dilations, n));
  HADAL_CHECK(check_count(op, "pads", pads, 2 * n));
  constexpr int64_t most = int64_t{1} << 31;
  const auto within = [](const Integers& values, int64_t least) {
    return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= least && v < most; });
  };
  if (!within(kernel, 1)) return rule(code, "kernel extents are 1 or more, found {}", hadal::text_of(kernel));
  if (!within(window.strides, 1)) return rule(code, "strides are 1 or more, found {}", hadal::text_of(window.strides));
  if (!within(window.dilations, 1))
    return rule(code, "dilations are 1 or more, found {}", hadal::text_of(window.dilations));
  if (!within(pads, 0)) return rule(code, "pads are 0 or more, found {}", hadal::text_of(pads));
  window.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(n));
  window.end.assign(pads.begin() + static_cast<int64_t>(n), pads.end());
  return window;
}

Result<int64_t> positions(std::string_view op, const Window& window, size_t i, int64_t extent, int64_t extra) {
  const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
  const int64_t padded = extent + window.begin[i] + window.end[i] + extra;
  if (reach > padded)
    return rule(fmt::format("{}.window", op), "the window covers {} of a padded extent of {}", reach, padded);
  return (padded - reach) / window.strides[i] + 1;
}

std::array<Axis, 3> axes_of(const Window& window, const Shape& x, const Shape& result) {
  std::array<Axis, 3> axes;
  const size_t n = window.kernel.size();
  for (size_t i = 0; i < n; ++i)
    axes[3 - n + i] = {x[2 + i],          result[2 + i],       window.kernel[i],
                       window.strides[i], window.dilations[i], window.begin[i]};
  return axes;
}

}  // namespace hadal::graph
