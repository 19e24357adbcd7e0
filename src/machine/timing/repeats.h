// Straight code that comes again and again with other addresses, as the equal blocks of a model do.
#pragma once

#include <cstdint>
#include <vector>

#include "isa/sequencer.h"

namespace hadal::machine::timing {

/// What of each instruction its time may depend on, as a number: all but addresses, and which registers it uses.
std::vector<uint64_t> signatures_of(const isa::Program& program);

/// `count` times `length` instructions with equal signatures, the first of them `first`; none begins inside a loop.
struct Repeat {
  uint32_t first = 0, length = 0, count = 0;
  [[nodiscard]] uint32_t end() const { return first + length * count; }
  bool operator==(const Repeat&) const = default;
};

/// Those of at least `fewest` times, in the order of the code; none overlaps another.
std::vector<Repeat> repeats_of(const isa::Walk& walk, const std::vector<uint64_t>& signatures, uint32_t fewest);

}  // namespace hadal::machine::timing
