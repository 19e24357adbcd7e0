// A layer of the matrix engine, as the search for tiles sees it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"

namespace hadal::compile {

/// Bytes are of one element. Layers of equal shapes are one layer to the search.
struct MatrixShape {
  int64_t batch = 1;          ///< Independent products, or images.
  int64_t rows = 1;           ///< What m is cut into: matrix rows, or output rows of a convolution.
  int64_t row_pixels = 1;     ///< m of one row.
  int64_t n = 1, n_step = 1;  ///< Output columns; tiles are multiples of the step.
  int64_t k = 1, k_step = 1;  ///< Contraction (taps * channels); chunks are multiples of the step.
  DType operands = DType::f32;
  int64_t stored_bytes = 4;       ///< Of what is stored.
  std::vector<int64_t> window{};  ///< Of a convolution: what more decides which input a tile reads.
  bool constant_weights = true;
  /// What is streamed, stationary, or stored, lies in HBM.
  bool far_stream = false, far_weights = true, far_result = false;
  bool grouped = false;      ///< A tile of n has its own channels: k is that of one group, all of it.
  bool depthwise = false;    ///< Grouped by single channels: not a matrix product.
  bool may_split = false;    ///< The contraction may be split over cores.
  bool scaled = false;       ///< By blocks: chunks are of whole blocks.
  bool equal_parts = false;  ///< All tiles of n have the same number of groups.

  auto operator<=>(const MatrixShape&) const = default;
};

}  // namespace hadal::compile
