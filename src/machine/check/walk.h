// The instructions of all cores in one legal order, and what is wrong in that order already.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "isa/check.h"
#include "isa/sequencer.h"
#include "machine/check/run.h"

namespace hadal::machine::check {

/// Queues that work, without the sequencer's.
inline constexpr size_t engines = isa::queue_count - 1;
inline size_t engine_of(const isa::Instruction& in) { return static_cast<size_t>(in.queue) - 1; }

struct Step {
  uint32_t instruction = 0;
  uint32_t position = 0;  ///< In its queue, from 1.
  uint16_t core = 0;
  bool works = false;  ///< Its boxes are legal and not empty.
};

struct Trace {
  std::vector<Step> steps;
  std::vector<Finding> findings;  ///< Deadlocks, counts at the end, boxes out of bounds.
  bool too_long = false;          ///< The budget is spent.
};

/// What is told of each step that works, in order: its boxes as the sequencer gives them.
using Visit = std::function<void(uint32_t step, const isa::Instruction&, const isa::Sequencer&, const isa::Boxes&)>;

/// Cores take turns, each in program order until it must wait.
Trace walk_program(const isa::Walk& walk, size_t cores, const CheckOptions& options, const Visit& visit);
/// The same order once more.
void walk_again(const isa::Walk& walk, size_t cores, const Trace& trace, const Visit& visit);

/// "ring.free", or its number.
std::string semaphore_name(const isa::Program& program, uint8_t id);

}  // namespace hadal::machine::check
