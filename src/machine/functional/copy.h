// Strided n-dimensional copies: DMA, transposes, slices.
#pragma once

#include <array>
#include <cstdint>

#include "base/dtype.h"
#include "isa/program.h"

namespace hadal::machine {

using Dims = std::array<int64_t, isa::rank_limit>;

/// Byte strides of a dense row-major box.
Dims dense_strides(int rank, const Dims& extents, int64_t element_bytes);
/// Whether the strides are those of a dense row-major box, up to axes of extent 1.
bool is_dense(int rank, const Dims& extents, const Dims& strides, int64_t element_bytes);

struct Strided {
  std::byte* data;
  DType dtype;
  Dims strides;  ///< Bytes.
};

/// to[i] = from[i] for all i in the box; types are converted. No extent is 0, and the boxes do not overlap.
void copy_box(int rank, const Dims& extents, const Strided& to, const Strided& from);

/// The same, element by element: its definition.
void copy_box_plainly(int rank, const Dims& extents, const Strided& to, const Strided& from);

/// Every element of the box becomes the `size` bytes at `value`.
void fill_box(int rank, const Dims& extents, const Dims& strides, std::byte* to, const std::byte* value, int64_t size);

}  // namespace hadal::machine
