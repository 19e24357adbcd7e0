// Seeded random numbers that are the same on every host, and the same as those of the reference that we compare with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hadal::network {

/// Knuth's lagged Fibonacci generator (The Art of Computer Programming, volume 2, 3rd edition, section 3.6):
/// X[j] = X[j - 100] ± X[j - 37] modulo 2^bits, of which the first 100 of every 1009 are used.
class LaggedFibonacci {
 public:
  enum class Sign { minus, plus };
  LaggedFibonacci(Sign sign, unsigned bits, uint64_t first, uint32_t seed);
  uint64_t next();

 private:
  static constexpr size_t long_lag = 100, short_lag = 37, batch = 1009;
  [[nodiscard]] uint64_t combine(uint64_t a, uint64_t b) const {
    return (sign_ == Sign::minus ? a - b : a + b) & mask_;
  }
  void start(uint64_t first, uint32_t seed);
  void square(std::array<uint64_t, 2 * long_lag>& x) const;
  /// Moves `count` elements on; the first 100 of them are the next to use.
  void advance(size_t count);

  Sign sign_;
  uint64_t mask_;
  std::array<uint64_t, long_lag> state_{}, used_{};
  size_t position_ = long_lag;
};

/// BookSim draws integers and fractions from generators of their own. With the same draws in the same order, our
/// networks carry the same packets as its, and figures differ by the models alone.
class Random {
 public:
  explicit Random(uint32_t seed)
      : integers_(LaggedFibonacci::Sign::minus, 30, (uint64_t{seed} + 2) & ~uint64_t{1}, seed),
        fractions_(LaggedFibonacci::Sign::plus, fraction_bits, 2 * (uint64_t{seed} + 2), seed) {}
  /// Uniform in [0, 1).
  double fraction() {
    return static_cast<double>(fractions_.next()) / static_cast<double>(uint64_t{1} << fraction_bits);
  }
  /// Uniform in [0, bound), about: a remainder.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(integers_.next() % bound); }

 private:
  static constexpr unsigned fraction_bits = 52;
  LaggedFibonacci integers_, fractions_;
};

}  // namespace hadal::network
