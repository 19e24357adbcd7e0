// What the queues do at a cycle, by the timing machine's record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "chip/chip.h"
#include "isa/program.h"
#include "machine/timing/run.h"

namespace hadal::debug {

class Timeline {
 public:
  /// Times the program. Errors: those of time_program.
  static Result<Timeline> of(const isa::Program& program, const chip::Chip& chip);

  /// From the start, the launch included, to the last store.
  [[nodiscard]] int64_t cycles() const { return cycles_; }
  /// How many instructions of each core, in program order, hold all that have ended by a cycle.
  [[nodiscard]] std::vector<uint64_t> ended_by(int64_t cycle) const;
  /// A line for each queue of a core: what it executes or waits for at a cycle, and how many stand behind that.
  [[nodiscard]] std::string queues(const isa::Program& program, size_t core, int64_t cycle) const;

 private:
  int64_t cycles_ = 0;
  size_t cores_ = 0;
  std::vector<machine::Slice> slices_;
};

}  // namespace hadal::debug
