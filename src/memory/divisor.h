// Division by what a device has of a thing: nearly always a power of two, and done for every run of bursts.
#pragma once

#include <bit>
#include <cstdint>

namespace hadal::memory {

/// Divides non-negative numbers by a positive one.
class Divisor {
 public:
  explicit Divisor(int64_t value)
      : value_(value),
        shift_(std::has_single_bit(static_cast<uint64_t>(value)) ? std::countr_zero(static_cast<uint64_t>(value))
                                                                 : -1) {}
  [[nodiscard]] int64_t value() const { return value_; }
  [[nodiscard]] int64_t quotient(int64_t number) const { return shift_ >= 0 ? number >> shift_ : number / value_; }
  [[nodiscard]] int64_t remainder(int64_t number) const { return number - quotient(number) * value_; }

 private:
  int64_t value_;
  int shift_;
};

}  // namespace hadal::memory
