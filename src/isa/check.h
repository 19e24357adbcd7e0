// Bounds and shapes of one instruction with its registers put in: what stands between a program and memory.
#pragma once

#include <array>
#include <span>
#include <string>

#include "base/result.h"
#include "isa/sequencer.h"
#include "isa/table.h"

namespace hadal::isa {

/// The boxes of an instruction, one an operand.
struct Boxes {
  std::array<Box, operand_limit> box;  ///< Only the given operands are set.
  size_t count = 0;
  bool idle = false;  ///< A given box is empty: the instruction waits and signals, and does nothing else.

  operator std::span<const Box>() const { return {box.data(), count}; }
};

/// Puts the sequencer's registers into the operands of `in`. `boxes` is filled anew.
void resolve(const Sequencer& sequencer, const Instruction& in, Boxes& boxes);

/// Checks one instruction before it is executed: every box lies in its tensor, ring slot or (with `fill`) may pass the
/// tensor's edges; extents agree as the row says; the partial sums fit the accumulator; what is written overlaps
/// nothing that is read. An instruction with an empty box is legal. The program has passed `verify_static`; the
/// instruction is the sequencer's last, and its predicate does not drop it. Errors carry the rule's label (docs/isa.md)
/// and the layer. Fast: called for each executed instruction.
Status check(const Program& program, const Sequencer& sequencer, const Instruction& in, std::span<const Box> boxes);

/// "instruction 17 of conv1".
std::string place_of(const Program& program, size_t instruction);

}  // namespace hadal::isa
