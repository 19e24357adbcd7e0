#include "machine/functional/bindings.h"

#include <algorithm>
#include <cstring>

namespace hadal::machine {

bool same_axes(const isa::Box& box, uint8_t rank, const Dims& extents, const Dims& strides, Dims& result) {
  size_t j = 0;
  for (size_t i = 0; i < box.rank; ++i) {
    result[i] = 0;
    if (box.extents[i] == 1) continue;
    while (j < rank && extents[j] == 1) ++j;
    if (j == rank || extents[j] != box.extents[i]) return false;
    result[i] = strides[j++];
  }
  while (j < rank && extents[j] == 1) ++j;
  return j == rank;
}

std::vector<Bindings::Binding>::iterator Bindings::first(int64_t begin) {
  return std::upper_bound(list_.begin(), list_.end(), begin, [](int64_t at, const Binding& b) { return at < b.end; });
}

/// Copies the part of a binding that lies in scratchpad bytes [begin, end).
void Bindings::copy(const Binding& binding, int64_t begin, int64_t end) {
  begin = std::max(begin, binding.begin);
  end = std::min(end, binding.end);
  if (begin >= end) return;
  if (binding.dense) {
    std::memcpy(scratchpad_ + begin, binding.source + (begin - binding.begin), static_cast<size_t>(end - begin));
    return;
  }
  const int64_t size = bytes_of(binding.dtype);
  const Dims to = dense_strides(binding.rank, binding.extents, size);
  if (begin == binding.begin && end == binding.end)
    return copy_box(binding.rank, binding.extents, {scratchpad_ + begin, binding.dtype, to},
                    {binding.source, binding.dtype, binding.strides});
  std::vector<std::byte> whole(static_cast<size_t>(binding.end - binding.begin));
  copy_box(binding.rank, binding.extents, {whole.data(), binding.dtype, to},
           {binding.source, binding.dtype, binding.strides});
  std::memcpy(scratchpad_ + begin, whole.data() + (begin - binding.begin), static_cast<size_t>(end - begin));
}

void Bindings::bind(const isa::Box& to, const isa::Box& from, std::byte* source, bool constant) {
  const int64_t begin = to.offset, end = to.offset + to.bytes();
  const bool dense = is_dense(from.rank, from.extents, from.strides, bytes_of(from.dtype));
  const Binding binding{begin, end, source, constant, dense, from.rank, from.dtype, from.extents, from.strides};
  if (!constant) include_source(source, source + (end - begin));
  auto at = first(begin);
  if (at != list_.end() && at->begin == begin && at->end == end) {
    *at = binding;
    return;
  }
  overwrite(begin, end);
  list_.insert(first(begin), binding);
}

Operand Bindings::find(isa::Box& box, bool strided) {
  const int64_t begin = box.offset, end = box.offset + box.bytes();
  auto at = first(begin);
  if (at == list_.end() || at->begin >= end) return {scratchpad_ + begin, &box, false};
  if (at->begin <= begin && end <= at->end) {
    if (at->dense) return {at->source + (begin - at->begin), &box, at->constant};
    Dims strides{};
    if (strided && at->begin == begin && at->end == end && box.dtype == at->dtype &&
        same_axes(box, at->rank, at->extents, at->strides, strides)) {
      box.strides = strides;
      return {at->source, &box, at->constant};
    }
  }
  const auto covered = at;
  for (; at != list_.end() && at->begin < end; ++at) copy(*at, at->begin, at->end);
  list_.erase(covered, at);
  return {scratchpad_ + begin, &box, false};
}

void Bindings::overwrite(int64_t begin, int64_t end) {
  const auto from = first(begin);
  auto at = from;
  for (; at != list_.end() && at->begin < end; ++at) {
    copy(*at, at->begin, begin);
    copy(*at, end, at->end);
  }
  list_.erase(from, at);
}

void Bindings::include_source(const std::byte* begin, const std::byte* end) {
  const std::byte *low = low_.load(std::memory_order_relaxed), *high = high_.load(std::memory_order_relaxed);
  if (low == high) low = begin, high = end;
  low_.store(std::min(low, begin), std::memory_order_release);
  high_.store(std::max(high, end), std::memory_order_release);
}

void Bindings::release(const std::byte* begin, const std::byte* end) {
  if (end <= low_.load(std::memory_order_acquire) || high_.load(std::memory_order_acquire) <= begin) return;
  const auto held = lock();
  low_.store(nullptr, std::memory_order_relaxed);
  high_.store(nullptr, std::memory_order_relaxed);
  std::erase_if(list_, [&](const Binding& binding) {
    if (binding.constant) return false;  // only weights are bound with strides, and nobody writes those
    const std::byte* source_end = binding.source + (binding.end - binding.begin);
    const bool overlaps = begin < source_end && binding.source < end;
    if (overlaps)
      copy(binding, binding.begin, binding.end);
    else
      include_source(binding.source, source_end);
    return overlaps;
  });
}

}  // namespace hadal::machine
