#include "network/islip.h"

namespace hadal::network {

void Islip::request(uint32_t input, uint32_t output) {
  uint32_t& best = grants_[output];
  const auto count = static_cast<uint32_t>(accepts_.size());
  if (best == none) requested_.push_back(output);
  const uint32_t pointer = grant_pointers_[output];
  if (best == none || turn(input, pointer, count) < turn(best, pointer, count)) best = input;
}

std::span<const Islip::Match> Islip::allocate() {
  matches_.clear();
  const auto inputs = static_cast<uint32_t>(accepts_.size()), outputs = static_cast<uint32_t>(grants_.size());
  for (const uint32_t output : requested_) {
    const uint32_t input = grants_[output], pointer = accept_pointers_[input];
    uint32_t& best = accepts_[input];
    if (best == none) granted_.push_back(input);
    if (best == none || turn(output, pointer, outputs) < turn(best, pointer, outputs)) best = output;
    grants_[output] = none;
  }
  for (const uint32_t input : granted_) {
    const uint32_t output = accepts_[input];
    matches_.push_back({input, output});
    grant_pointers_[output] = input + 1 == inputs ? 0 : input + 1;
    accept_pointers_[input] = output + 1 == outputs ? 0 : output + 1;
    accepts_[input] = none;
  }
  requested_.clear();
  granted_.clear();
  return matches_;
}

}  // namespace hadal::network
