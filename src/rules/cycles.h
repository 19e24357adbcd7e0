// How every timing rule rounds: to whole cycles, upwards, once, at its end.
#pragma once

#include <cmath>
#include <cstdint>

namespace hadal::rules {

/// Longest time a rule answers; beyond it (and where a unit that the work needs is missing) time saturates here.
inline constexpr int64_t forever = int64_t{1} << 62;

/// The whole cycles that `cycles` takes. Forgives the last bits of a quotient, so that 12 / (1/3) is 36 and not 37.
inline int64_t whole_cycles(double cycles) {
  if (!(cycles < 0x1p62)) return forever;
  return cycles <= 0 ? 0 : static_cast<int64_t>(std::ceil(cycles * (1 - 1e-12)));
}

/// a / b rounded up, for a >= 0 and b > 0.
inline int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

}  // namespace hadal::rules
