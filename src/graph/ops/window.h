// Sliding windows of convolution and pooling, over up to three spatial axes.
#pragma once

#include <array>

#include "graph/ops/support.h"

namespace hadal::graph {

/// Attributes of a window with every spatial axis given.
struct Window {
  Integers kernel, strides, dilations, begin, end;
};

/// Reads strides, pads and dilations (absent: ones, zeros, ones) for a kernel. Errors: "OP.window".
Result<Window> window_of(std::string_view op, const Integers& kernel, const Attributes& attributes);
/// Positions of the window along axis i of `extent`, or an error if it does not fit. `extra` is behind the end pad.
Result<int64_t> positions(std::string_view op, const Window& window, size_t i, int64_t extent, int64_t extra = 0);

/// One spatial axis for the loops; absent leading axes have extent 1.
struct Axis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
  /// Operand position of window element k at result position o; may be outside.
  [[nodiscard]] int64_t at(int64_t o, int64_t k) const { return o * stride - pad + k * dilation; }
  /// Result positions [first, last) whose window element k is inside.
  [[nodiscard]] int64_t first(int64_t k) const {
    return std::max<int64_t>(0, (pad - k * dilation + stride - 1) / stride);
  }
  [[nodiscard]] int64_t last(int64_t k) const {
    const int64_t room = in - 1 + pad - k * dilation;
    return room < 0 ? 0 : std::min(out, room / stride + 1);
  }
};
/// Axes (depth, height, width) of shapes [N, C, spatial...].
std::array<Axis, 3> axes_of(const Window& window, const Shape& x, const Shape& result);

}  // namespace hadal::graph
