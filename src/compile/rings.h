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
  mixture,      ///< matrix -> vector: weighted values of a block of keys
  top,          ///< vector -> vector, over all blocks: the largest score,
  total,        ///< the sum of weights,
  sums,         ///< and weighted values;
  fade,         ///< what these are multiplied by for a block
};
inline constexpr int ring_count = 19;

/// Each ring's share of the scratchpad. The least slots of all take less than the whole; what is left becomes shared
/// space for activations, then further slots. Rings of weights and of streams have many slots: where the scratchpad is
/// large, smaller tiles leave room for more of them, so that loads run further ahead.
std::vector<tile::Ring> rings_of(const chip::Chip& chip, const Plan& plan);

/// Whether many large tiles of streams take a small part of it.
inline bool has_large_scratchpad(const chip::Chip& chip) { return chip.scratchpad.bytes >= 4 << 20; }

/// Bytes that a tile of the ring may have.
int64_t tile_limit(const chip::Chip& chip, Ring ring, const Profile* profile = nullptr);

}  // namespace hadal::compile
