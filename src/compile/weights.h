// Weights as the matrix engine takes them: taps of convolutions first, constants packed at compile time.
#pragma once

#include "compile/emitter.h"

namespace hadal::compile {

/// Weights [A, B, kernel...] as [KD, KH, KW, B, A]; with `multiplier` > 0 (depthwise) as [KD, KH, KW, multiplier,
/// A / multiplier]; with `transposed_groups` > 0 those of a transposed convolution, which must be constant.
Placed taps_first(Emitter& e, graph::ValueId v, int64_t multiplier, int64_t transposed_groups);

/// Constant weights as [blocks, KD, KH, KW, B, width]: A in blocks of `width`, one after another.
Placed blocked_weights(Emitter& e, graph::ValueId v, int64_t width);

/// A constant [K, N], or [N, K] where `transposed`, as [blocks, K, width]: N in blocks of `width`, one after another.
Placed blocked_matrix(Emitter& e, graph::ValueId v, bool transposed, int64_t width);

/// Where the elements of a tensor lie in its own bytes.
Placed dense(const Tensor& tensor);

}  // namespace hadal::compile
