// Levers: which figure of a chip would help a program most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace hadal::runtime {

/// A figure of the chip made twice as good (a rate or a depth doubled, a latency halved), and the same program's cycles
/// then. Schedules stay: a model compiled for that chip may gain more.
struct Lever {
  std::string field;          ///< Of the chip's file.
  std::string before, after;  ///< As one writes them there.
  int64_t cycles = 0;
};

/// The levers that change the time, the best first. `outcome` has been timed; `threads` of this computer share the
/// work.
Result<std::vector<Lever>> levers_of(const Outcome& outcome, int threads);

}  // namespace hadal::runtime
