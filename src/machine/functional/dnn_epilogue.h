// An epilogue chain as a sequence of operations, each on the result of the one before: what oneDNN fuses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "machine/functional/chain_op.h"
#include "machine/functional/matrix.h"

namespace hadal::machine {

/// value = op(value), with `op` a unary operation or `mul` and `add` by constants; or value = op(value, operand).
struct PostOperation {
  /// What is repeated of the operand: one number, one an output channel, or one an element. `none`: no operand.
  enum class Extent : uint8_t { none, one, channel, element };
  ChainOp op = ChainOp::copy;
  Extent extent = Extent::none;
  size_t operand = 0;         ///< Of the epilogue: 0 to 2.
  float alpha = 0, beta = 0;  ///< Unary: the operation's. `linear`: alpha * value + beta.
  bool linear = false;
};

struct FusedEpilogue {
  std::optional<size_t> bias;  ///< The epilogue operand that is added first, one number an output channel.
  std::vector<PostOperation> operations;
};

/// The instruction's chain, or nothing where it is not such a sequence. The operations' kinds are not looked at.
/// A fused relu, clip, min or max of NaN gives its bound, as processors' own minimum and maximum do.
std::optional<FusedEpilogue> fuse_epilogue(const MatrixCall& matrix);

}  // namespace hadal::machine
