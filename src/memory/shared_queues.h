// A controller with one read and one write queue, scheduled first-ready, first-come-first-served (FR-FCFS), as
// Ramulator 2.1's HBM controllers do it: github.com/CMU-SAFARI/ramulator2 at c5b1c3a, src/ramulator/controller.
#pragma once

#include <deque>

#include "memory/bank_times.h"
#include "memory/channel.h"
#include "memory/request_queue.h"

namespace hadal::memory {

class SharedQueues final : public Channel {
 public:
  explicit SharedQueues(const Device& device);

  bool push(const Request& request, Tick at) override;
  void run(Tick at) override;
  [[nodiscard]] bool is_idle() const override;
  void rest(Tick until) override;

 private:
  /// A refresh, or a PRE that the row policy asks for.
  struct Maintenance {
    Command command = Command::ref;
    int bank = 0;
  };
  /// A request whose ACT was issued: out of its queue, it waits for its column command.
  using Active = RequestQueue::Entry;
  /// A command of the oldest ready request of a queue.
  struct Choice {
    int32_t entry = -1;
    uint64_t order = UINT64_MAX;
    Command command = Command::act;
  };

  void queue_refreshes(Tick now);
  void queue_closes(Tick now);
  bool column_slot(Tick now);
  bool row_slot(Tick now);
  bool column_of_active(Tick now);
  bool column_of_queue(Tick now);
  bool row_of_maintenance(Tick now);
  bool row_of_queue(Tick now);
  Choice best_row_command(const RequestQueue& queue, Tick now);
  void finish_column(const Active& entry, Tick now);
  void issue(Command command, int bank, Tick now, int32_t row = -1);
  void row_changed(int bank);
  void choose_mode();

  /// Whether `command` may begin now; if not, next_ will not be later than when it may.
  bool is_ready(Command command, int bank, Tick now);
  [[nodiscard]] bool may_begin_half_clock(Command command) const {
    return (half_clock_ >> static_cast<int>(command) & 1) != 0;
  }
  [[nodiscard]] bool is_clock(Tick now) const { return ticks_ == 1 || now % ticks_ == 1 % ticks_; }
  [[nodiscard]] bool is_paired_off(Command command, int bank, Tick now) const;
  [[nodiscard]] bool has_misses() const { return reads_.has_misses() || writes_.has_misses(); }
  RequestQueue& queue(bool write) { return write ? writes_ : reads_; }

  BankTimes times_;
  Tick ticks_, read_latency_, refresh_interval_;
  unsigned half_clock_ = 0;
  bool pairing_, one_bus_, keep_hits_, per_bank_refresh_;
  int64_t cap_;
  float high_, low_;  ///< Entries; single precision decides on the same side as the original.

  RequestQueue reads_, writes_;
  std::vector<Active> active_;
  std::vector<int> active_of_bank_, active_of_pseudo_channel_;
  std::deque<Maintenance> maintenance_;
  std::vector<int64_t> accesses_;  ///< Column commands of a bank since it was opened, of a capped policy.
  std::vector<bool> close_queued_;
  bool write_mode_ = false;
  Tick refresh_at_ = never;
  int refresh_bank_ = 0;
  bool on_clock_ = true;        ///< Whether the tick that is run begins a clock.
  Tick wake_ = never;           ///< While a tick is run: when something could begin that cannot now …
  Tick wake_on_clock_ = never;  ///< … and the same for what begins with a clock, which it may not be yet.
  Tick last_return_ = 0;        ///< Reads return in the order in which they were served.
  struct {
    Tick tick = -1;  ///< The half clock that the rule is about.
    int bank = 0;
    bool all_banks = false;
  } pair_;
};

}  // namespace hadal::memory
