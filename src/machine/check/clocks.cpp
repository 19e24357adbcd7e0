#include "machine/check/clocks.h"

#include <algorithm>

namespace hadal::machine::check {

namespace {

void raise(uint32_t& entry, uint32_t to) { entry = std::max(entry, to); }

/// FNV-1a, word by word.
uint64_t hash_of(const Entries& entries) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint32_t entry : entries) hash = (hash ^ entry) * 0x100000001b3;
  return hash;
}

}  // namespace

uint32_t ClockTable::number_of(const Entries& entries) {
  const uint64_t hash = hash_of(entries);
  for (auto [at, end] = by_hash_.equal_range(hash); at != end; ++at)
    if (rows_[at->second] == entries) return at->second;
  const auto number = static_cast<uint32_t>(rows_.size());
  rows_.push_back(entries);
  by_hash_.emplace(hash, number);
  return number;
}

uint32_t ClockTable::join(uint32_t a, uint32_t b) {
  if (a == b || b == 0) return a;
  if (a == 0) return b;
  const auto [at, added] = joins_.try_emplace({std::min(a, b), std::max(a, b)}, 0);
  if (added) {
    Entries both = rows_[a];
    for (size_t i = 0; i < width_; ++i) raise(both[i], rows_[b][i]);
    at->second = number_of(both);
  }
  return at->second;
}

Entries ClockTable::spread(size_t core, const Clock& clock) const {
  Entries entries = rows_[clock.all];
  for (size_t queue = 0; queue < engines; ++queue) raise(entries[core * engines + queue], clock.own[queue]);
  return entries;
}

void ClockTable::add(size_t core, Clock& clock, uint32_t all) {
  clock.all = join(clock.all, all);
  for (size_t queue = 0; queue < engines; ++queue) raise(clock.own[queue], rows_[all][core * engines + queue]);
}

void ClockTable::add(Clock& clock, const Clock& other) {
  clock.all = join(clock.all, other.all);
  for (size_t queue = 0; queue < engines; ++queue) raise(clock.own[queue], other.own[queue]);
}

}  // namespace hadal::machine::check
