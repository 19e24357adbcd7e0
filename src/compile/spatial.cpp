#include "compile/spatial.h"

#include <algorithm>

namespace hadal::compile {

size_t place_of(size_t d, size_t dims) { return dims == 1 ? 1 : spatial - dims + d; }

Windows windows_of(const graph::Node& node, const Shape& x, const Shape& kernel, const Shape& out) {
  Windows w;
  const size_t dims = x.size() - 2;
  const auto strides = node.attributes.integers("strides"), dilations = node.attributes.integers("dilations"),
             pads = node.attributes.integers("pads");
  w.outside = node.attributes.number("outside");
  for (size_t d = 0; d < dims; ++d) {
    const size_t at = place_of(d, dims);
    w.kernel[at] = kernel[d];
    w.stride[at] = d < strides.size() ? strides[d] : 1;
    w.dilation[at] = d < dilations.size() ? dilations[d] : 1;
    w.pad[at] = d < pads.size() ? pads[d] : 0;
    w.in[at] = x[d + 2];
    w.out[at] = out[d + 2];
  }
  return w;
}

Placed channels_last_view(const Placed& placed) {
  const size_t dims = placed.extents.size() - 2;
  Placed out = placed;
  out.extents = {placed.extents[0], 1, 1, 1, placed.extents[1]};
  out.strides = {placed.strides[0], 0, 0, 0, placed.strides[1]};
  for (size_t d = 0; d < dims; ++d) {
    out.extents[1 + place_of(d, dims)] = placed.extents[d + 2];
    out.strides[1 + place_of(d, dims)] = placed.strides[d + 2];
  }
  return out;
}

InputWindow input_window(const Windows& w, size_t d, const Expr& origin, const Expr& extent) {
  const Expr start = origin * Expr(w.stride[d]) - Expr(w.pad[d]);
  const Expr need = (extent - Expr(1)) * Expr(w.stride[d]) + Expr((w.kernel[d] - 1) * w.dilation[d] + 1);
  if (w.outside != 0) return {start, need, Expr(0), Expr(0)};
  const Expr low = max(Expr(0), start), end = start + need, high = min(Expr(w.in[d]), end);
  const Expr before = low - start, after = end - high;
  return {low, (high - low).within(0, std::min(need.highest(), w.in[d])),
          before.within(0, std::max<int64_t>(w.pad[d], 0)), after.within(0, std::max<int64_t>(after.highest(), 0))};
}

}  // namespace hadal::compile
