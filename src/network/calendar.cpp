#include "network/calendar.h"

#include <algorithm>

namespace hadal::network {

int64_t Calendar::free_from(int64_t head, int64_t length) const {
  int64_t first = std::max(head, busy_until_);
  for (size_t i = 0; i < count_; ++i) {
    const int64_t start = std::max(head, gaps_[i].begin);
    if (start + length <= gaps_[i].end) first = std::min(first, start);
  }
  return first;
}

void Calendar::take(int64_t start, int64_t length) {
  const int64_t end = start + length;
  if (start >= busy_until_) {
    remember({busy_until_, start});
    busy_until_ = end;
    return;
  }
  for (size_t i = 0; i < count_; ++i) {
    const Gap gap = gaps_[i];
    if (start < gap.begin || end > gap.end) continue;
    drop(i);
    remember({gap.begin, start});
    remember({end, gap.end});
    return;
  }
}

/// In place of the oldest one, where there are too many.
void Calendar::remember(Gap gap) {
  if (gap.begin >= gap.end) return;
  if (count_ < most_gaps) {
    gaps_[count_++] = gap;
    return;
  }
  *std::ranges::min_element(gaps_, {}, &Gap::end) = gap;
}

}  // namespace hadal::network
