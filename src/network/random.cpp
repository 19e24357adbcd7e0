#include "network/random.h"

#include <algorithm>
#include <vector>

namespace hadal::network {

LaggedFibonacci::LaggedFibonacci(Sign sign, unsigned bits, uint64_t first, uint32_t seed)
    : sign_(sign), mask_((uint64_t{1} << bits) - 1) {
  start(first, seed);
}

uint64_t LaggedFibonacci::next() {
  if (position_ == long_lag) {
    used_ = state_;
    advance(batch);
    position_ = 0;
  }
  return used_[position_++];
}

void LaggedFibonacci::advance(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    uint64_t& oldest = state_[i % long_lag];
    oldest = combine(oldest, state_[(i + long_lag - short_lag) % long_lag]);
  }
  std::ranges::rotate(state_, state_.begin() + static_cast<ptrdiff_t>(count % long_lag));
}

/// The square of the polynomial of `x`, reduced by z^100 = z^37 ± 1 of the recurrence.
void LaggedFibonacci::square(std::array<uint64_t, 2 * long_lag>& x) const {
  for (size_t j = long_lag - 1; j > 0; --j) {
    x[2 * j] = x[j];
    x[2 * j - 1] = 0;
  }
  for (size_t j = 2 * long_lag - 2; j >= long_lag; --j) {
    x[j - (long_lag - short_lag)] = combine(x[j - (long_lag - short_lag)], x[j]);
    x[j - long_lag] = combine(x[j - long_lag], x[j]);
  }
}

/// Seeds are 2^70 elements apart: a power of z, by squaring and, for the ones of the seed, multiplying with z.
void LaggedFibonacci::start(uint64_t first, uint32_t seed) {
  constexpr int separation = 70, warm_up = 10;
  std::array<uint64_t, 2 * long_lag> x{};
  for (size_t j = 0; j < long_lag; ++j) {
    x[j] = first;
    first <<= 1;
    if (first > mask_) first -= mask_ - 1;
  }
  ++x[1];
  int left = separation - 1;
  for (uint32_t bits = seed & ((1U << 30) - 1); left > 0;) {
    square(x);
    if ((bits & 1) != 0) {
      std::copy_backward(x.begin(), x.begin() + long_lag, x.begin() + long_lag + 1);
      x[0] = x[long_lag];
      x[short_lag] = combine(x[short_lag], x[long_lag]);
    }
    bits != 0 ? static_cast<void>(bits >>= 1) : static_cast<void>(--left);
  }
  std::copy_n(x.begin(), long_lag, state_.begin());
  std::ranges::rotate(state_, state_.begin() + short_lag);
  for (int i = 0; i < warm_up; ++i) advance(2 * long_lag - 1);
}

}  // namespace hadal::network
