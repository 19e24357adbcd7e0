// What an instruction of the matrix, vector and host queues costs, from its operands' extents.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "chip/chip.h"
#include "isa/sequencer.h"

namespace hadal::machine::timing {

/// Core cycles by resource, and what the work amounts to. `cycles` is rules::forever where the chip cannot do it.
struct Cost {
  bool idle = false;      ///< Some operand has no elements: the instruction waits and signals, and nothing else.
  int64_t cycles = 0;     ///< The array, the lanes or the host is busy.
  int64_t preload = 0;    ///< Matrix: first weights, hidden behind the instruction before.
  int64_t fill = 0;       ///< Matrix: from the last row in to the last result.
  int64_t emit = 0;       ///< Matrix: the output path is busy, where the instruction emits.
  int64_t emit_lead = 0;  ///< Matrix: from the start until results can leave, without `fill`.
  int64_t emit_tail = 0;  ///< Matrix: results still leave that long after `fill`.
  bool on_lanes = false;  ///< A matrix instruction at the lanes' rate.
  DType type = DType::f32;
  uint64_t macs = 0, vector_operations = 0;
  uint64_t sram_read = 0, sram_written = 0;  ///< Bytes, without those of emitting.
  uint64_t emit_read = 0, emit_written = 0;  ///< Bytes, where the instruction emits.
  uint64_t accumulated = 0;                  ///< Bytes of partial sums.
  uint64_t host_read = 0, host_written = 0;  ///< Bytes over the host link.
};

/// The cost of the sequencer's present instruction, which is of one of those queues.
Cost cost_of(const isa::Program& program, const isa::Sequencer& sequencer, const isa::Instruction& in,
             const chip::Chip& chip);

/// Costs that are asked for again and again: of each instruction the last, while the extents that it names stay.
class Costs {
 public:
  Costs(const isa::Program& program, const chip::Chip& chip);
  const Cost& of(const isa::Sequencer& sequencer, const isa::Instruction& in);

 private:
  static constexpr size_t limit = 8;  ///< Registers that extents may come from, for an instruction to be remembered.
  struct Memory {
    std::vector<uint8_t> sources;
    std::array<int64_t, limit> values{};
    bool filled = false, kept = true;
    Cost cost;
  };
  const isa::Program* program_;
  const chip::Chip* chip_;
  std::vector<Memory> memory_;
};

}  // namespace hadal::machine::timing
