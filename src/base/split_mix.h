// Seeded random numbers, the same on every host.
#pragma once

#include <cstdint>

namespace hadal {

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class SplitMix {
 public:
  static constexpr uint64_t step = 0x9e3779b97f4a7c15u;  ///< 2^64 by the golden ratio.

  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t next() { return mixed(state_ += step); }

  /// What it makes of a state: every bit of the result depends on every bit of that.
  static constexpr uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// A hash of a sequence of numbers, from that of all but the last and the last.
  static constexpr uint64_t joined(uint64_t hash, uint64_t number) { return mixed(hash + number + step); }

 private:
  uint64_t state_;
};

}  // namespace hadal
