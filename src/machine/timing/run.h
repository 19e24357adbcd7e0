// The timing machine: how long a program takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "chip/chip.h"
#include "isa/budget.h"
#include "isa/program.h"

namespace hadal::machine {

/// One instruction's time on its queue, for traces and explanations. Cycles of the core clock.
struct Slice {
  uint32_t core = 0;
  isa::Queue queue = isa::Queue::sequencer;
  uint32_t instruction = 0;
  uint32_t order = 0;     ///< Its number among those that the core's sequencer issued.
  int64_t held_from = 0;  ///< When the sequencer had it; issued - held_from: its queue was full.
  int64_t issued = 0;     ///< When it was in its queue.
  int64_t begin = 0, end = 0;
  int64_t waited_from = 0;  ///< When its queue was free for it; begin - waited_from is a stall.
  int64_t asked = 0;        ///< When a transfer's turn came to ask for bytes.
  uint32_t meeting = 0;     ///< Shared loads that ran together have the same number; 0: it ran alone.
  bool on_chip = false;     ///< A transfer from or to the shared space.
};

struct TimingOptions {
  uint64_t instruction_budget = isa::instruction_budget;  ///< Executed instructions, all cores; more is an error.
  bool warm = false;                                      ///< The chip's cache has what a run before left there.
  std::vector<Slice>* slices = nullptr;                   ///< Filled where given, in the order of starting.
  bool exact_memory = false;  ///< The chip's memory by its commands, which is slow; else row by row.
  bool extrapolate = true;    ///< Most trips of steady loops are not run; never with the exact memory.
};

/// What bounds a layer.
enum class Bound : uint8_t { matrix, vector, memory, latency, host };
std::string_view name_of(Bound bound);

struct LayerTime {
  int64_t cycles = 0;          ///< From the end of the layer before, in order of retirement; they sum to the total.
  int64_t begin = 0, end = 0;  ///< First start of an instruction; latest end of this layer's and earlier ones'.
  int64_t matrix_busy = 0, vector_busy = 0, memory_busy = 0,
          host_busy = 0;                                 ///< Cycles, of the busiest core (memory: of the HBM).
  uint64_t macs = 0, bytes_read = 0, bytes_written = 0;  ///< Executed; bytes of HBM, in whole bursts.
  Bound bound = Bound::latency;
};

struct Timing {
  int64_t cycles = 0;  ///< From program start (launch included) to the last store visible.
  int64_t launch_cycles = 0;
  std::vector<LayerTime> layers;
  std::map<isa::Opcode, uint64_t> executed;
  uint64_t macs = 0, bytes_read = 0, bytes_written = 0;
  uint64_t host_bytes = 0;    ///< Over the host link: inputs and outputs, which `cycles` leave out, and host calls.
  double host_seconds = 0;    ///< Of host calls, which `cycles` include.
  uint64_t extrapolated = 0;  ///< Executed instructions that were counted, in trips of steady loops, but not run.
  std::map<std::string, uint64_t>
      events;  ///< Counts by kind, documented in docs/report.md: "macs.bf16", "sram.read_bytes" …
};

/// Whether the memory that the chip names can stand behind its channels. Errors: memory.not_found and others of its
/// file, memory.granule, memory.channels.
Status check_memory(const chip::Chip& chip);

/// Times a program that has passed `verify_static` (each instruction is checked as it is issued), on all cores of the
/// chip. Deterministic; its cost grows with executed instructions and pieces of transfers (32 KiB or more), not with
/// cycles; of most trips of steady loops with instructions alone, much less. Errors: the chip does not meet the
/// program's limits (limits.*); an instruction breaks a rule (its label); a wait that is never met (sync.C1); the
/// sequencer's (loop.C1, let.C1); run.budget; run.range; those of check_memory; memory.none (the exact memory of a chip
/// that names none).
Result<Timing> time_program(const isa::Program& program, const chip::Chip& chip, const TimingOptions& options);

}  // namespace hadal::machine
