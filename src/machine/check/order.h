// Happens-before: which instructions have ended, in every execution, when another begins.
//
// What one instruction needs of another follows from delaying the other for ever: semaphores have one waiting queue
// each, so all else goes on as far as it can whatever the order, and whoever then never begins needs it. A wait that
// takes the n-th count of a semaphore needs, of each queue, what at least the n-th of the signals in order of that
// entry needs: n - 1 others can come without it. This is the greatest solution of these equations, found from above:
// the walk's own order is one execution, and gives the first bound.
#pragma once

#include <cstdint>
#include <vector>

#include "machine/check/clocks.h"

namespace hadal::machine::check {

class Order {
 public:
  Order(const isa::Program& program, size_t cores, const Trace& trace);

  /// Whether step a of the trace, an earlier one, has ended in every execution when step b begins.
  [[nodiscard]] bool before(uint32_t a, uint32_t b) const;
  /// Counts that pass `most` in some execution (sync.R1).
  [[nodiscard]] std::vector<Finding> overflows(int64_t most);

 private:
  /// A step that signals: its clock, itself included.
  struct Signal {
    size_t core = 0, engine = 0;
    uint32_t step = 0;
    Clock clock;
    uint32_t all = 0;  ///< The clock as a number of the table; 0: not looked up.
  };
  /// What reaches one semaphore of one core, or of all where it is only signalled everywhere.
  struct List {
    std::vector<uint32_t> signals;
    std::vector<int64_t> total;                      ///< Counts up to and with each signal.
    bool one_queue = true, one_core = true;          ///< Who signals.
    size_t joined = 0;                               ///< So many signals are in these two:
    Clock own;                                       ///< where all are of one core,
    Entries entries;                                 ///< else.
    std::vector<std::pair<size_t, Clock>> own_at{};  ///< What waits were given, and how many signals it takes.
    std::map<size_t, uint32_t> all_at{};
  };

  void collect();
  bool solve(bool first);
  bool is_solved();
  void take_waits(size_t core, const isa::Instruction& in);
  void meet(const Step& step, const isa::Instruction& in);
  void wait(size_t core, size_t engine, uint8_t id, int64_t count);
  void join_first(uint8_t id, size_t count, size_t core, Clock& clock);
  [[nodiscard]] uint32_t smallest(const List& list, int64_t count);
  [[nodiscard]] bool follow(const List& list, size_t from, const Clock* own, uint32_t all);
  void overflow(const List& list, size_t core, uint8_t id, int64_t most, std::vector<Finding>& findings);
  uint32_t all_of(Signal& signal);
  List& list_of(size_t core, uint8_t id) { return lists_[id][everywhere_[id] ? 0 : core]; }

  const isa::Program& program_;
  const Trace& trace_;
  size_t cores_;
  ClockTable table_;
  std::vector<Signal> signals_;
  std::vector<std::vector<List>> lists_;         ///< Of each semaphore, of each core.
  std::vector<bool> everywhere_;                 ///< Semaphores that are only signalled everywhere.
  std::vector<Clock> clocks_;                    ///< Of each step, when it begins.
  std::vector<std::array<Clock, engines>> now_;  ///< Of each core's queues: what they know, without what they did.
  std::vector<std::array<int64_t, isa::semaphores>> taken_;
  std::vector<std::array<bool, engines>> met_;  ///< Whose waits were taken when its group met.
  bool exact_ = true;                           ///< No wait was given more than its first signals say.
  bool first_ = true;
  size_t given_ = 0;  ///< Signals whose clocks are known.
};

}  // namespace hadal::machine::check
