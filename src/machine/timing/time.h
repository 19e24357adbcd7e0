// Time inside the timing machine: ticks, parts of a core cycle. Whatever the clock, the same cycles have the same
// ticks, so that a chip whose clocks and latencies are all twice as fast takes the same ones.
#pragma once

#include <cmath>
#include <cstdint>

namespace hadal::machine::timing {

using Time = int64_t;
inline constexpr Time ticks_per_cycle = 4096;
inline constexpr Time never = INT64_MAX;
/// The longest run that is timed, some 10^14 cycles; sums of two stay in range.
inline constexpr Time longest = int64_t{1} << 61;

/// Bytes over time, as time a byte. One multiplication and one rounding: the same on every host.
struct Rate {
  double ticks_per_byte = 0;  ///< 0: not a limit.
  [[nodiscard]] Time time(int64_t bytes) const {
    constexpr double half = 0.5;
    return static_cast<Time>(static_cast<double>(bytes) * ticks_per_byte + half);
  }
};

/// The core clock.
struct Cycles {
  static constexpr int64_t most = longest / ticks_per_cycle;
  double hertz = 1e9;
  [[nodiscard]] static Time time(int64_t cycles) { return cycles > most ? longest : cycles * ticks_per_cycle; }
  [[nodiscard]] static Time time(double cycles) { return std::llround(cycles * static_cast<double>(ticks_per_cycle)); }
  /// Time of other clocks, to the nearest tick.
  [[nodiscard]] Time of_femtoseconds(int64_t time) const {
    const double cycles = static_cast<double>(time) * (hertz * 1e-15);
    return cycles > static_cast<double>(most) ? longest : Cycles::time(cycles);
  }
  /// Whole cycles until `time`, upwards; forgives a thousandth of a cycle, which rounded byte rates may add up to.
  [[nodiscard]] static int64_t until(Time time) {
    return (time + ticks_per_cycle - 1 - ticks_per_cycle / 1000) / ticks_per_cycle;
  }
  /// The first edge of the clock not before `time`: where other clocks hand over to the core.
  [[nodiscard]] static Time edge(Time time) { return until(time) * ticks_per_cycle; }
  [[nodiscard]] static Rate rate(double bytes_per_cycle) {
    return {bytes_per_cycle > 0 ? static_cast<double>(ticks_per_cycle) / bytes_per_cycle : 0};
  }
  [[nodiscard]] Rate rate_of_seconds(double bytes_per_second) const { return rate(bytes_per_second / hertz); }
};

}  // namespace hadal::machine::timing
