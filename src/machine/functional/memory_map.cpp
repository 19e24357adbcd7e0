#include "machine/functional/memory_map.h"

#include <algorithm>

namespace hadal::machine {

namespace {

constexpr size_t piece_bytes = 2048;

}  // namespace

MemoryMap::MemoryMap(const isa::Program& program) : first_{0} {
  for (const isa::Region& region : program.regions) {
    const bool changes = region.kind != isa::RegionKind::weight;
    const uint64_t pieces = std::min(region.bytes / piece_bytes + 1, uint64_t{1} << 40);  // the sum is a number
    first_.push_back(first_.back() + (changes ? pieces : 0));
  }
}

std::pair<size_t, size_t> MemoryMap::pieces_of(const isa::Box& box) const {
  const size_t first = first_[box.region];
  if (first == first_[box.region + 1u]) return {first, first};  // weights
  const ByteRange range = range_of(box);
  const auto begin = static_cast<size_t>(std::max<int64_t>(range.begin, 0)) / piece_bytes;
  const auto end = static_cast<size_t>(std::max<int64_t>(range.end - 1, 0)) / piece_bytes + 1;
  return {std::min(first + begin, first_[box.region + 1u]), std::min(first + end, first_[box.region + 1u])};
}

bool MemoryMap::is_affordable(const std::vector<Event>& events) const {
  constexpr size_t most_pieces = 1 << 22, most_visits = 1 << 25;
  if (pieces() > most_pieces) return false;
  size_t visits = 0;
  for (const Event& event : events)
    for (size_t i = 0; i < event.boxes.size() && visits < most_visits; ++i) {
      if (event.in->operands[i] == isa::no_view || event.boxes[i].space == isa::Space::scratchpad) continue;
      const auto [begin, end] = pieces_of(event.boxes[i]);
      visits += end - begin;
    }
  return visits < most_visits;
}

}  // namespace hadal::machine
