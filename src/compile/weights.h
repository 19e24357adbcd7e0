// Weights as the matrix engine takes them: taps of convolutions first, constants packed at compile time.
#pragma once

#include "compile/emitter.h"

namespace hadal::compile {

/// Weights [A, B, kernel...] as [KD, KH, KW, B, A]; with `multiplier` > 0 (depthwise) as [KD, KH, KW, multiplier,
/// A / multiplier]; with `transposed_groups` > 0 those of a transposed convolution, which must be constant.
Placed taps_first(Emitter& e, graph::ValueId v, int64_t multiplier, int64_t transposed_groups);

/// Constant weights [k, n] in blocks, each what a tile takes at once: `chunk` of the contraction, `width` columns.
struct WeightBlocks {
  int64_t chunk, width;
  int64_t part, chunks;    ///< Of the contraction, a part has so many chunks, the last of which may be shorter.
  int64_t parts, columns;  ///< Of the contraction; of blocks beside one another.

  /// In parts of k in steps of `chunk`; whole columns where filling up blocks would take too much memory.
  static WeightBlocks of(int64_t k, int64_t n, int64_t part, int64_t chunk, int64_t width);
  /// The block of a column of tiles that has chunk `at` of all parts.
  [[nodiscard]] Expr block(const Expr& column, const Expr& at) const {
    return whole() ? column : column * Expr(parts * chunks) + at;
  }
  [[nodiscard]] bool whole() const { return parts * chunks == 1; }
};

/// Constant weights [A, B, kernel...] as [blocks, KD, KH, KW, chunk of B, width of A].
Placed blocked_weights(Emitter& e, graph::ValueId v, const WeightBlocks& blocks);

/// A constant [K, N], or [N, K] where `transposed`, as [blocks, K, width]: N in blocks of `width`, one after another.
Placed blocked_matrix(Emitter& e, graph::ValueId v, bool transposed, int64_t width);

/// Where the elements of a tensor lie in its own bytes.
Placed dense(const Tensor& tensor);

}  // namespace hadal::compile
