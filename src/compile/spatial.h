// Spatial dims of convolutions and pools: attributes, views as [N, D, H, W, C], input windows of output tiles.
#pragma once

#include <array>

#include "compile/emitter.h"

namespace hadal::compile {

inline constexpr size_t spatial = 3;  ///< Depth, height, width; fewer dims leave the first at 1, one dim is the height.

/// Attributes of a convolution or pool with three spatial dims.
struct Windows {
  std::array<int64_t, spatial> kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, pad{0, 0, 0}, in{1, 1, 1},
      out{1, 1, 1};
  double outside = 0;  ///< What pads hold. Where it is not 0, they are loaded with the image.
};

/// Where spatial dim `d` of `dims` stands among the three.
size_t place_of(size_t d, size_t dims);

/// Of a node on x [N, C, spatial...] with result `out`.
Windows windows_of(const graph::Node& node, const Shape& x, const Shape& kernel, const Shape& out);

/// [N, C, spatial...] as [N, D, H, W, C].
Placed channels_last_view(const Placed& placed);

/// The input that output elements [origin, origin + extent) of dim `d` read: clamped to the image, with what padding of
/// 0 stands before and after.
struct InputWindow {
  Expr origin, extent, before, after;
};
InputWindow input_window(const Windows& w, size_t d, const Expr& origin, const Expr& extent);

}  // namespace hadal::compile
