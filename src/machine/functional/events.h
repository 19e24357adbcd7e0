// What all cores execute, in one legal order: control flow depends on no values, so it is known before any is computed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "isa/sequencer.h"
#include "machine/functional/copy.h"
#include "machine/functional/run.h"

namespace hadal::machine {

inline constexpr uint32_t no_event = std::numeric_limits<uint32_t>::max();

/// How many operands, from the first, an instruction writes.
size_t written_operands(isa::Opcode op);
/// Whether it writes them: matrix instructions may leave their sums in the accumulator.
bool writes(const isa::Instruction& in);
bool is_matrix(isa::Opcode op);

/// The first byte that a box covers, and one past the last, from where its offset counts.
struct ByteRange {
  int64_t begin = 0, end = 0;
};
ByteRange range_of(const isa::Box& box);

/// `in` with the sequencer's registers put into its fields: `in` itself, or `buffer`.
const isa::Instruction& with_numbers(const isa::Sequencer& sequencer, const isa::Instruction& in,
                                     isa::Instruction& buffer);

/// One executed instruction of an engine.
struct Event {
  uint32_t core = 0, index = 0;  ///< Its number in the code.
  const isa::Instruction* in = nullptr;
  std::unique_ptr<isa::Instruction> own;  ///< Where registers were put in.
  std::vector<isa::Box> boxes;            ///< Of its operands; empty where it only waits and signals.
  std::vector<uint32_t> after;            ///< Events of other cores that gave what it waited for.
};

/// Calls f(box) for each box outside the scratchpad that an event writes.
template <class F>
void for_memory_written(const Event& event, const F& f) {
  for (size_t i = 0; i < std::min(event.boxes.size(), written_operands(event.in->op)); ++i)
    if (event.in->operands[i] != isa::no_view && event.boxes[i].space != isa::Space::scratchpad) f(event.boxes[i]);
}

struct Events {
  std::vector<Event> list;
  ValueCounts counts;  ///< Of a run, the times aside.
};

/// Cores take turns in ascending order, each until it must wait
/// for what another core gives in the same round. Nothing where the program fails in any way, or
/// executes more than is worth keeping.
std::optional<Events> events_of(const isa::Walk& walk, size_t cores, uint64_t budget);

}  // namespace hadal::machine
