// HBM by its commands, beside the timing machine: each goes as far in time as the other is known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/result.h"
#include "chip/chip.h"
#include "machine/timing/memory.h"
#include "memory/memory.h"

namespace hadal::machine::timing {

/// A part of a transfer, on its way to or from memory: its queue, and its place in the pool of pieces.
struct Ticket {
  uint32_t core = 0, slot = 0;
  uint8_t queue = 0;
};

class ExactMemory {
 public:
  /// Of a device that stands behind the chip's channels (check_memory). Errors: memory.*.
  static Result<ExactMemory> make(const chip::Chip& chip, const memory::Device& device, const Cycles& clock);

  void submit(const Spread& spread, int64_t bytes, bool write, Time at, Ticket ticket);

  /// What a memory tells of a piece, in this order.
  struct Report {
    enum class Kind : uint8_t { sent, done };
    Kind kind = Kind::sent;
    Ticket ticket;
    Time at = 0;     ///< Sent: when the queues had taken the last of it. Done: the last byte is there, or taken over,
    Time first = 0;  ///< and of a read, the first was.
  };
  /// Goes on until there is something to report, but not as far as `until`.
  std::optional<Report> advance(Time until);

 private:
  ExactMemory(memory::Memory memory, double ticks_per_time, int64_t granule, int64_t burst)
      : memory_(std::move(memory)), ticks_per_time_(ticks_per_time), granule_(granule), burst_(burst) {}

  memory::Memory memory_;
  double ticks_per_time_;
  int64_t granule_, burst_;
  std::map<int64_t, Ticket> tickets_;
};

}  // namespace hadal::machine::timing
