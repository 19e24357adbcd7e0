// When a link is taken, in the past and to come.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace hadal::network {

/// Messages ask for a link in the order in which they leave their sources, not in that in which they reach it: one that
/// comes early takes a gap that a later one has left. A calendar knows its newest gaps; older ones are forgotten.
template <size_t most_gaps>
class CalendarOf {
 public:
  /// The first time from `head` at which the link is free for `length`. Times are non-negative.
  [[nodiscard]] int64_t free_from(int64_t head, int64_t length) const {
    if (head >= busy_until_) return head;
    // No gap reaches so far: most messages do not look at each of them.
    if (head + length > gaps_until_) return busy_until_;
    int64_t first = busy_until_;
    for (size_t i = 0; i < count_; ++i) {
      const int64_t start = std::max(head, gaps_[i].begin);
      if (start + length <= gaps_[i].end) first = std::min(first, start);
    }
    return first;
  }

  /// Takes it for a time that `free_from` gave.
  void take(int64_t start, int64_t length) {
    const int64_t end = start + length;
    if (start >= busy_until_) {
      remember({busy_until_, start});
      busy_until_ = end;
      return;
    }
    for (size_t i = 0; i < count_; ++i) {
      const Gap gap = gaps_[i];
      if (start < gap.begin || end > gap.end) continue;
      gaps_[i] = gaps_[--count_];
      remember({gap.begin, start});
      remember({end, gap.end});
      return;
    }
  }
  [[nodiscard]] int64_t busy_until() const { return busy_until_; }

 private:
  struct Gap {
    int64_t begin = 0, end = 0;
  };
  /// In place of the oldest one, where there are too many.
  void remember(Gap gap) {
    if (gap.begin >= gap.end) return;
    gaps_until_ = std::max(gaps_until_, gap.end);
    if (count_ < most_gaps)
      gaps_[count_++] = gap;
    else
      *std::ranges::min_element(gaps_, {}, &Gap::end) = gap;
  }

  int64_t busy_until_ = 0;
  /// No gap ends later.
  int64_t gaps_until_ = 0;
  size_t count_ = 0;
  std::array<Gap, most_gaps> gaps_{};
};

using Calendar = CalendarOf<16>;

}  // namespace hadal::network
