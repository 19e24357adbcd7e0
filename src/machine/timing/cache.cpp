#include "machine/timing/cache.h"

#include "base/split_mix.h"

namespace hadal::machine::timing {

namespace {

/// Of the numbers that tell one piece from another.
uint64_t key_of(const Transfer& transfer, int64_t from) {
  uint64_t key = 0;
  const auto mix = [&](int64_t value) { key = SplitMix::joined(key, static_cast<uint64_t>(value)); };
  mix(transfer.address);
  mix(from);
  mix(transfer.run_bytes);
  mix(transfer.runs);
  for (int i = 0; i < transfer.depth; ++i) mix(transfer.levels[static_cast<size_t>(i)].stride);
  return key;
}

}  // namespace

std::optional<Time> Cache::find(const Transfer& transfer, int64_t from, int64_t bytes) {
  if (bytes > bytes_ || transfer.scattered) return std::nullopt;
  const auto found = places_.find(key_of(transfer, from));
  if (found == places_.end()) return std::nullopt;
  lines_.splice(lines_.begin(), lines_, found->second);
  return found->second->ready;
}

Cache Cache::settled() && {
  for (Line& line : lines_) line.ready = 0;
  return std::move(*this);
}

void Cache::keep(const Transfer& transfer, int64_t from, int64_t bytes, Time ready) {
  if (bytes > bytes_ || transfer.scattered) return;
  const uint64_t key = key_of(transfer, from);
  if (const auto found = places_.find(key); found != places_.end()) {
    used_ -= found->second->bytes;
    lines_.erase(found->second);
    places_.erase(found);
  }
  lines_.push_front({key, bytes, ready});
  places_[key] = lines_.begin();
  for (used_ += bytes; used_ > bytes_;) {
    used_ -= lines_.back().bytes;
    places_.erase(lines_.back().key);
    lines_.pop_back();
  }
}

}  // namespace hadal::machine::timing
