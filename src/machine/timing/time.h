// Time inside the timing machine: integer femtoseconds, so that clocks of any ratio compare exactly.
#pragma once

#include <cstdint>

namespace hadal::machine::timing {

using Time = int64_t;
inline constexpr Time never = INT64_MAX;
/// The longest run that is timed, some 38 minutes; sums of two stay in range.
inline constexpr Time longest = int64_t{1} << 61;

/// Bytes a second, as time a byte. One multiplication and one rounding: the same on every host.
struct Rate {
  double femtoseconds_per_byte = 0;  ///< 0: not a limit.
  [[nodiscard]] Time time(int64_t bytes) const {
    constexpr double half = 0.5;
    return static_cast<Time>(static_cast<double>(bytes) * femtoseconds_per_byte + half);
  }
};

/// The core clock.
struct Cycles {
  int64_t femtoseconds = 1'000'000;
  [[nodiscard]] Time time(int64_t cycles) const {
    return cycles > longest / femtoseconds ? longest : cycles * femtoseconds;
  }
  /// Whole cycles until `time`, upwards; forgives a thousandth of a cycle, which rounded byte rates may add up to.
  [[nodiscard]] int64_t until(Time time) const {
    return (time + femtoseconds - 1 - femtoseconds / 1000) / femtoseconds;
  }
  /// The first edge of the clock not before `time`: where other clocks hand over to the core.
  [[nodiscard]] Time edge(Time time) const { return until(time) * femtoseconds; }
  [[nodiscard]] Rate rate(double bytes_per_cycle) const {
    return {bytes_per_cycle > 0 ? static_cast<double>(femtoseconds) / bytes_per_cycle : 0};
  }
};

}  // namespace hadal::machine::timing
