// A dense box seen from one of its axes.
#pragma once

#include "machine/functional/kernel.h"

namespace hadal::machine {

/// Element (o, i, j) lies at (o * length + i) * inner + j.
struct AxisSplit {
  int64_t outer = 1, length = 1, inner = 1;
};

inline AxisSplit split_at(const Operand& operand, int64_t axis) {
  AxisSplit split;
  for (int64_t i = 0; i < operand.rank(); ++i) {
    const int64_t extent = operand.extent(static_cast<size_t>(i));
    if (i < axis) split.outer *= extent;
    if (i == axis) split.length = extent;
    if (i > axis) split.inner *= extent;
  }
  return split;
}

}  // namespace hadal::machine
