// What will happen: events in the order of time, then of cores, then of having been made. Rings that queues are made
// of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "machine/timing/time.h"

namespace hadal::machine::timing {

struct Event {
  enum class Kind : uint8_t {
    wake,       ///< The head of a queue may start.
    signal,     ///< An instruction's signals reach its own core.
    broadcast,  ///< Its `everywhere` signals reach this core.
    request,    ///< A DMA queue is ready to ask for its next piece.
    piece,      ///< The core's DMA port is free for it.
    passage,    ///< A piece reaches the second of memory and network.
    retire,     ///< The oldest transfer of a queue is done.
  };
  Time time = 0;
  uint64_t order = 0;  ///< Core in the upper 24 bits, then the number of the event.
  uint32_t data = 0;   ///< Of a signal: the instruction. Of a passage: its place in the pool.
  Kind kind = Kind::wake;
  uint8_t queue = 0;
  [[nodiscard]] uint32_t core() const { return static_cast<uint32_t>(order >> 40); }
};

class Events {
 public:
  void push(Time time, uint32_t core, Event::Kind kind, uint8_t queue, uint32_t data = 0) {
    heap_.push_back({time, uint64_t{core} << 40 | (number_++ & 0xff'ffff'ffffu), data, kind, queue});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  Event pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  /// Of the next event; `never` where there is none.
  [[nodiscard]] Time next() const { return heap_.empty() ? never : heap_.front().time; }

 private:
  static constexpr auto later = [](const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.order > b.order;
  };

  std::vector<Event> heap_;
  uint64_t number_ = 0;
};

/// A first-in first-out list whose items keep their numbers; it grows where it must and is never freed.
template <class Item>
class Ring {
 public:
  [[nodiscard]] uint32_t begin() const { return begin_; }
  [[nodiscard]] uint32_t end() const { return end_; }
  [[nodiscard]] uint32_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  Item& operator[](uint32_t number) { return items_[number & (items_.size() - 1)]; }
  Item& front() { return (*this)[begin_]; }
  void pop() { ++begin_; }
  /// A new last item, with whatever was in its place: the caller sets all of it.
  Item& push() {
    if (size() == items_.size()) grow();
    return (*this)[end_++];
  }

 private:
  void grow() {
    std::vector<Item> larger(items_.empty() ? 4 : items_.size() * 2);
    for (uint32_t n = begin_; n != end_; ++n) larger[n & (larger.size() - 1)] = (*this)[n];
    items_ = std::move(larger);
  }
  std::vector<Item> items_;
  uint32_t begin_ = 0, end_ = 0;
};

}  // namespace hadal::machine::timing
