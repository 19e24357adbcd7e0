// When a link is taken, in the past and to come.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hadal::network {

/// Messages ask for a link in the order in which they leave their sources, not in that in which they reach it: one that
/// comes early takes a gap that a later one has left. A calendar knows its newest gaps; older ones are forgotten.
class Calendar {
 public:
  /// The first time from `head` at which the link is free for `length`. Times are non-negative.
  [[nodiscard]] int64_t free_from(int64_t head, int64_t length) const;
  /// Takes it for a time that `free_from` gave.
  void take(int64_t start, int64_t length);

 private:
  struct Gap {
    int64_t begin = 0, end = 0;
  };
  static constexpr size_t most_gaps = 16;
  void remember(Gap gap);
  void drop(size_t index) { gaps_[index] = gaps_[--count_]; }

  int64_t busy_until_ = 0;
  size_t count_ = 0;
  std::array<Gap, most_gaps> gaps_{};
};

}  // namespace hadal::network
