// Time of the matrix engine: passes of a systolic array, filling it, loading its weights, emptying its accumulators.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "chip/chip.h"

namespace hadal::rules {

/// `batch` products out[m, n] = a[m, k] · b[k, n]. An extent of 0 takes no time.
struct MatrixWork {
  int64_t m = 1, k = 1, n = 1, batch = 1;
  DType operands = DType::bf16;
  int64_t scale_block = 0;  ///< Steps of k that share a scale, after which sums are scaled; 0: none.
};

/// A convolution as the address generator feeds it: one row a pixel, taps and channels as contraction, groups as batch.
/// `channels` and `features` (output channels) are of all groups together.
MatrixWork convolution(int64_t pixels, int64_t taps, int64_t channels, int64_t features, int64_t groups,
                       DType operands);

/// Core cycles, told apart because a queue overlaps them differently with its neighbours.
struct MatrixCycles {
  int64_t passes = 0;   ///< Tiles of the stationary operand, over all arrays.
  int64_t array = 0;    ///< The arrays are busy: what back-to-back instructions cost.
  int64_t preload = 0;  ///< First stationary tile; hidden while the previous instruction still runs.
  int64_t fill = 0;     ///< A row entering to its last result leaving; overlaps the next instruction.
  int64_t lead = 0;     ///< Until the first column tile's last pass begins: its results can leave `fill` after that.
  int64_t last = 0;     ///< The last pass.
  int64_t columns = 1;  ///< Tiles of columns, whose results leave one after another.
};

/// Whether the engine multiplies operands of this type.
bool supports(const chip::Matrix& matrix, DType operands);

/// Weight-stationary: ceil(k/rows) · ceil(n/columns) passes, each max(m / rows_per_cycle, rows / weight_rows_per_cycle)
/// with two weight buffers, their sum with one; columns of tiles are outermost, so that their sums end early. A row
/// crosses rows + columns cells, `stage_cells` a cycle. Output-stationary: ceil(m/rows) · ceil(n/columns) passes of k
/// steps, results shifting out as weights shift in. Several arrays share the passes, or the streamed rows of each,
/// whichever ends first. Scaled products go block by block: the array's time or that of the output path, and
/// scale_cycles in which the array waits for the lanes. Source: H. T. Kung, "Why systolic architectures?", 1982; the
/// double buffer is that of TPU v1 (ISCA 2017). Time is `forever` where the type is not supported.
MatrixCycles matrix_cycles(const chip::Matrix& matrix, const MatrixWork& work);

/// Cycles of the output path for `elements` accumulators that leave through the epilogue.
int64_t emit_cycles(const chip::Matrix& matrix, int64_t elements);

/// What is left of `emit` cycles of the output path when the last result comes out of the array: results leave as rows
/// come out, and those of the last tile of columns not before its last pass.
int64_t emit_tail(const MatrixCycles& cycles, int64_t emit);

/// Scratchpad bytes that the arrays read: the streamed operand once a group of arrays working side by side (they share
/// one stream), the stationary one once. Saturates at `forever`.
int64_t matrix_read_bytes(const chip::Matrix& matrix, const MatrixWork& work);

/// A depthwise convolution of `pixels` x `channels` outputs: multiply-accumulates on the vector lanes, or one column of
/// the array a channel (chip field matrix.depthwise_on_lanes).
int64_t depthwise_cycles(const chip::Chip& chip, int64_t pixels, int64_t channels, int64_t taps, DType operands);

}  // namespace hadal::rules
