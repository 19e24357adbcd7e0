// Windows of convolutions and pooling: attributes with their defaults.
#pragma once

#include "onnx/importer.h"

namespace hadal::onnx {

struct Window {
  Integers kernel, strides, dilations, begin, end;
  [[nodiscard]] int64_t reach(size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
  [[nodiscard]] Integers pads() const {
    Integers out = begin;
    out.insert(out.end(), end.begin(), end.end());
    return out;
  }
};

/// Attributes of the node; pads by auto_pad for an operand of `spatial` extents.
Window window_of(const Site& n, Integers kernel, const Shape& spatial);
/// Extents behind [N,C] of an operand. Error: onnx.shape.
Shape spatial_of(const Site& n, ValueId x);
/// Extents of the kernel of weights [O,I,kernel...] for an operand.
Integers filter_of(const Site& n, ValueId x, ValueId weights);
/// Error where a list has another number of entries than axes, or one that is too small.
void check_entries(std::string_view name, const Integers& list, size_t count, int64_t least);

}  // namespace hadal::onnx
