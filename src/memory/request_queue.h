// The read or the write queue of a channel, ordered by age and, within each bank, cut into row hits and misses.
#pragma once

#include <vector>

#include "memory/channel.h"

namespace hadal::memory {

class RequestQueue {
 public:
  struct Entry {
    Request request;
    Tick arrived = 0;
    uint64_t order = 0;              ///< Of acceptance.
    int32_t next = -1, before = -1;  ///< Of the same bank.
    int32_t newer = -1, older = -1;  ///< Of the queue.
  };

  RequestQueue(size_t entries, int banks) : lists_(static_cast<size_t>(banks)) {
    entries_.resize(entries);
    for (size_t i = entries; i-- > 0;) free_.push_back(static_cast<int32_t>(i));
  }

  [[nodiscard]] size_t size() const { return entries_.size() - free_.size(); }
  [[nodiscard]] bool full() const { return free_.empty(); }
  [[nodiscard]] const Entry& operator[](int32_t entry) const { return entries_[static_cast<size_t>(entry)]; }

  /// Banks for which there is an entry, in no order.
  [[nodiscard]] const std::vector<int>& busy() const { return busy_; }
  /// The oldest entry of a bank for its open row, and the oldest for another (any, where it is closed); -1 for none.
  [[nodiscard]] int32_t hit(int bank) const { return lists_[static_cast<size_t>(bank)].hit; }
  [[nodiscard]] int32_t miss(int bank) const { return lists_[static_cast<size_t>(bank)].miss; }
  /// The oldest entry; from it, Entry::newer leads through all.
  [[nodiscard]] int32_t oldest() const { return oldest_; }
  /// The oldest entry of a busy bank.
  [[nodiscard]] int32_t oldest(int bank) const { return lists_[static_cast<size_t>(bank)].head; }
  /// Whether any bank has a miss.
  [[nodiscard]] bool has_misses() const { return misses_ > 0; }

  [[nodiscard]] bool holds(const Request& request) const {
    for (int32_t e = lists_[static_cast<size_t>(request.location.bank)].head; e >= 0; e = (*this)[e].next)
      if ((*this)[e].request.address == request.address) return true;
    return false;
  }

  void add(const Request& request, Tick at) {
    const int32_t e = free_.back();
    free_.pop_back();
    List& list = lists_[static_cast<size_t>(request.location.bank)];
    entries_[static_cast<size_t>(e)] = {request, at, accepted_++, -1, list.tail, -1, newest_};
    (newest_ < 0 ? oldest_ : entries_[static_cast<size_t>(newest_)].newer) = e;
    newest_ = e;
    if (list.head < 0) {
      list.head = e;
      list.place = busy_.size();
      busy_.push_back(request.location.bank);
    } else {
      entries_[static_cast<size_t>(list.tail)].next = e;
    }
    list.tail = e;
    if (request.location.row == list.open_row) {
      if (list.hit < 0) list.hit = e;
    } else if (list.miss < 0) {
      set_miss(list, e);
    }
  }

  void remove(int32_t e) {
    const Entry& entry = (*this)[e];
    List& list = lists_[static_cast<size_t>(entry.request.location.bank)];
    if (e == list.hit)
      list.hit = find(entry.next, entry.request.location.row, true);
    else if (e == list.miss)
      set_miss(list, find(entry.next, list.open_row, false));
    (entry.before < 0 ? list.head : entries_[static_cast<size_t>(entry.before)].next) = entry.next;
    (entry.next < 0 ? list.tail : entries_[static_cast<size_t>(entry.next)].before) = entry.before;
    (entry.older < 0 ? oldest_ : entries_[static_cast<size_t>(entry.older)].newer) = entry.newer;
    (entry.newer < 0 ? newest_ : entries_[static_cast<size_t>(entry.newer)].older) = entry.older;
    if (list.head < 0) {
      busy_[list.place] = busy_.back();
      lists_[static_cast<size_t>(busy_[list.place])].place = list.place;
      busy_.pop_back();
    }
    free_.push_back(e);
  }

  /// A bank opened a row, or closed (-1).
  void row_changed(int bank, int32_t open_row) {
    List& list = lists_[static_cast<size_t>(bank)];
    list.open_row = open_row;
    list.hit = open_row < 0 ? -1 : find(list.head, open_row, true);
    set_miss(list, open_row < 0 ? list.head : find(list.head, open_row, false));
  }

 private:
  struct List {
    int32_t head = -1, tail = -1, hit = -1, miss = -1, open_row = -1;
    size_t place = 0;  ///< In busy_.
  };
  /// The first entry from `e` on for the row, or for another one.
  [[nodiscard]] int32_t find(int32_t e, int32_t row, bool same) const {
    while (e >= 0 && ((*this)[e].request.location.row == row) != same) e = (*this)[e].next;
    return e;
  }

  void set_miss(List& list, int32_t e) {
    misses_ += (e >= 0 ? 1 : 0) - (list.miss >= 0 ? 1 : 0);
    list.miss = e;
  }

  std::vector<Entry> entries_;
  std::vector<int32_t> free_;
  std::vector<List> lists_;
  std::vector<int> busy_;
  int32_t oldest_ = -1, newest_ = -1;
  uint64_t accepted_ = 0;
  int misses_ = 0;  ///< Banks with one.
};

}  // namespace hadal::memory
