// Interpolation as tables of taps, shared by the reference and the compiler.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hadal::graph {

/// Along `axis`, result element i is the sum over t < taps of weights[i*taps+t] * x[indices[i*taps+t]].
/// An index of -1 stands for what is outside a crop: the first element is read there.
struct ResizeTable {
  int axis;
  int taps;
  std::vector<int64_t> indices;
  std::vector<float> weights;
};

/// One table for each axis that changes (in extent or in values), in order of axes. Applied one after another, in any
/// order, they are the resize. Source of the formulas: the ONNX operator Resize, its reference implementation.
Result<std::vector<ResizeTable>> resize_tables(const Shape& shape, const Attributes& attributes);

}  // namespace hadal::graph
