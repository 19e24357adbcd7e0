// Seeded random numbers that are the same on every host.
#pragma once

#include <cstdint>
#include <random>

namespace hadal::network {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// Uniform in [0, 1), in steps of 2^-53.
  double fraction() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  /// Uniform in [0, bound).
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((engine_() >> 32) * bound) >> 32); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace hadal::network
