// The regions of a program in pieces, to remember who touched what.
#pragma once

#include <utility>
#include <vector>

#include "machine/functional/events.h"

namespace hadal::machine {

class MemoryMap {
 public:
  explicit MemoryMap(const isa::Program& program);
  [[nodiscard]] size_t pieces() const { return first_.back(); }
  /// Pieces of a box outside the scratchpad: the first, and one past the last.
  [[nodiscard]] std::pair<size_t, size_t> pieces_of(const isa::Box& box) const;
  /// Whether the map is small, and the boxes of all events together cover few pieces.
  [[nodiscard]] bool is_affordable(const std::vector<Event>& events) const;

 private:
  std::vector<size_t> first_;  ///< Of each region.
};

}  // namespace hadal::machine
