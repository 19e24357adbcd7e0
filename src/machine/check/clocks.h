// Vector clocks: of each queue of each core, how many of its instructions have ended before something begins.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "machine/check/walk.h"

namespace hadal::machine::check {

/// Of one core: the entries of its own queues, and those of all cores as a number in the table. What a core knows of
/// others changes once a phase, what it knows of itself with each instruction.
struct Clock {
  std::array<uint32_t, engines> own{};
  uint32_t all = 0;  ///< 0: nothing. Where it tells of the core itself, `own` tells at least as much.
  bool operator==(const Clock&) const = default;
};

/// Entries of all cores, by core and queue.
using Entries = std::vector<uint32_t>;

/// Every `Clock::all`, each once.
class ClockTable {
 public:
  explicit ClockTable(size_t cores) : width_(cores * engines) { number_of(Entries(width_, 0)); }

  [[nodiscard]] const Entries& entries(uint32_t number) const { return rows_[number]; }
  uint32_t number_of(const Entries& entries);
  /// The entrywise larger.
  uint32_t join(uint32_t a, uint32_t b);
  /// Whether a knows at least what b knows.
  bool covers(uint32_t a, uint32_t b) { return join(a, b) == a; }

  /// A core's clock as entries of all cores.
  [[nodiscard]] Entries spread(size_t core, const Clock& clock) const;
  /// Adds what `all` says to a core's clock.
  void add(size_t core, Clock& clock, uint32_t all);
  /// Adds what another clock of the same core says.
  void add(Clock& clock, const Clock& other);

 private:
  size_t width_;
  std::vector<Entries> rows_;
  std::unordered_multimap<uint64_t, uint32_t> by_hash_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> joins_;
};

}  // namespace hadal::machine::check
