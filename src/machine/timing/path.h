// The critical path: of all that happened in a timed run, the chain of causes that the total is made of.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chip/chip.h"
#include "machine/timing/run.h"

namespace hadal::machine {

/// What a stretch of time went to.
enum class Spent : uint8_t {
  launch,
  issue,   ///< The sequencer: fetching and issuing, registers, or waiting for a place in a queue.
  signal,  ///< From an instruction's end to one that waited for it, in another queue or core.
  matrix,
  vector,
  host,
  load,  ///< Transfers from and to memory,
  prefetch,
  store,
  on_chip,  ///< and those from and to the shared space.
};
inline constexpr size_t spent_count = 10;
std::string_view name_of(Spent spent);

/// Time of an instruction on its queue counts as its own, but for what it shared with the one before it there.
struct Stretch {
  Spent spent = Spent::launch;
  uint32_t layer = 0, instruction = 0;
  int64_t begin = 0, end = 0;  ///< Cycles.
};

/// Which signals an instruction waited for last, by its number among the slices.
struct Release {
  static constexpr size_t none = SIZE_MAX;
  size_t slice =
      none;  ///< Whose signal it was; none: the semaphore's first count was enough, or nothing is waited for.
  uint16_t semaphore = 0;
  int64_t at = 0;  ///< Cycle.
};
std::vector<Release> releases_of(const isa::Program& program, const chip::Chip& chip, const std::vector<Slice>& slices);

/// From the start to the end: stretches that join, and so sum to the timing's cycles. A stretch ends where what it
/// holds up could begin: a queue takes one instruction after another, waits are met by signals, sequencers issue in
/// order.
std::vector<Stretch> critical_path(const isa::Program& program, const chip::Chip& chip, const Timing& timing,
                                   const std::vector<Slice>& slices, const std::vector<Release>& releases);

}  // namespace hadal::machine
