// Matrix instructions in oneDNN's terms, without its headers: axes, and what a primitive depends on.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "machine/functional/matrix.h"

namespace hadal::machine {

/// What is computed: sums, sums added to those before, or the whole instruction with its epilogue.
enum class MatrixMode : int64_t { sum, sum_add, emit };

/// All that tells one primitive from another.
using MatrixKey = std::array<int64_t, 72>;
struct MatrixKeyHash {
  size_t operator()(const MatrixKey& key) const;
};
MatrixKey key_of(const MatrixCall& matrix, MatrixMode mode);

using DnnDims = std::vector<int64_t>;

/// Extents and strides in elements. matmul: matrices, or batches of them; else [N, C, ...] with two spatial axes where
/// depth is 1, three otherwise; weights [groups,] O, I, ....
struct DnnShapes {
  DnnDims a, a_strides, b, b_strides, out, out_strides;
  DnnDims stride, dilation, before, after;
};
/// `pad_explicitly`: the pads are part of `a`. `dense_a`: `a` is copied before, whatever its strides.
DnnShapes dnn_shapes(const MatrixCall& matrix, bool pad_explicitly, bool dense_a);

/// Strides of a dense row-major box, in elements.
DnnDims dense(const DnnDims& extents);
/// Strides of an operand in elements, those of axes of extent 1 as if dense.
DnnDims element_strides(const Operand& operand);

}  // namespace hadal::machine
