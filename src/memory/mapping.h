// From an address to channel, bank, row and column, by a list of fields from the least significant on.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "memory/device.h"

namespace hadal::memory {

/// Where a burst lies. Banks are counted through the channel: pseudo-channel, bank group and bank in one number.
struct Location {
  int32_t channel = 0, bank = 0, row = 0, column = 0;
};

/// By how many channels each stripe of addresses (all channels once) begins further than the one before where channels
/// are turned: few, so that a run across stripes does not meet a channel again soon, but enough that strides of all
/// usual matrices meet all channels (a twelfth: of the steps below a fifth, that with the evenest spread at 160
/// channels).
constexpr uint64_t turn_step(uint64_t channels) {
  uint64_t step = std::max<uint64_t>(1, channels / 12);
  while (std::gcd(step, channels) != 1) ++step;
  return step;
}

class Mapping {
 public:
  /// "channel column:1 bank_group^row column bank row": fields from the least significant bit above the burst on.
  /// FIELD:N takes N bits of a field, whose rest comes later. FIELD^OTHER is the field hashed (exclusive or) with the
  /// low bits of another. The word "turn" turns the channel and pseudo-channel before it by the fields behind it. What
  /// is not named must have the size 1. Addresses beyond the last field wrap. Errors: memory.mapping.
  static Result<Mapping> make(std::string_view order, const Organization& organization);

  [[nodiscard]] Location locate(uint64_t address) const {
    std::array<uint64_t, field_count> value{};
    address >>= burst_shift_;
    for (const Part& part : parts_) {
      if (part.field == turn) {
        const uint64_t number =
            (value[0] + channels_ * value[2] + address * turn_step_) % (channels_ * pseudo_channels_);
        value[0] = number % channels_;
        value[2] = number / channels_;
        continue;
      }
      value[part.field] |= part.shift >= 0 ? (address & (part.size - 1)) << part.place : address % part.size;
      address = part.shift >= 0 ? address >> part.shift : address / part.size;
    }
    for (const Hash& hash : hashes_) value[hash.field] ^= value[hash.with] & hash.mask;
    return {static_cast<int32_t>(value[0]),
            static_cast<int32_t>((value[2] * bank_groups_ + value[3]) * banks_ + value[4]),
            static_cast<int32_t>(value[5]), static_cast<int32_t>(value[1])};
  }

 private:
  static constexpr size_t field_count = 6;     ///< channel, column, pseudo_channel, bank_group, bank, row.
  static constexpr size_t turn = field_count;  ///< No field, but what is done at that place.
  struct Part {
    size_t field = 0;
    uint64_t size = 1;
    int shift = 0;  ///< log2(size), or -1 where the size is no power of two.
    int place = 0;  ///< Bits of the field that are taken already.
  };
  struct Hash {
    size_t field = 0, with = 0;
    uint64_t mask = 0;
  };
  std::vector<Part> parts_;
  std::vector<Hash> hashes_;
  int burst_shift_ = 0;
  uint64_t channels_ = 1, pseudo_channels_ = 1, bank_groups_ = 1, banks_ = 1, turn_step_ = 0;
};

}  // namespace hadal::memory
