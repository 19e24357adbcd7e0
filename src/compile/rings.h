// The rings of every program, and how large their tiles may be on a chip.
#pragma once

#include <vector>

#include "chip/chip.h"
#include "compile/plan.h"
#include "tile/program.h"

namespace hadal::compile {

/// By what flows through them.
enum class Ring : int {
  activation,   ///< load -> matrix: the streamed operand
  activation2,  ///< load -> matrix: the stationary operand, where it is no constant
  weight,       ///< prefetch -> matrix
  parameter,    ///< prefetch -> matrix: bias and other vectors of an epilogue
  residual,     ///< load -> matrix: tiles of an epilogue
  result,       ///< matrix -> store
  stream,       ///< load -> vector
  constant,     ///< prefetch -> vector: what a phase reads once
  temporary,    ///< vector -> vector
  output,       ///< vector -> store
  copy,         ///< load -> store
  index,        ///< load -> load: indices of a gather
  score,        ///< matrix -> vector
  probability,  ///< vector -> matrix
};
inline constexpr int ring_count = 14;

/// Each ring's share of the scratchpad. The least slots of all take less than the whole; what is left becomes shared
/// space for activations, then further slots. Rings of weights and of streams have many slots: where the scratchpad is
/// large, smaller tiles leave room for more of them, so that loads run further ahead.
std::vector<tile::Ring> rings_of(const chip::Chip& chip, const Plan& plan);

/// Bytes that a tile of the ring may have.
int64_t tile_limit(const chip::Chip& chip, Ring ring, const Profile* profile = nullptr);

}  // namespace hadal::compile
