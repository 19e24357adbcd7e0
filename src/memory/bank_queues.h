// A controller with two levels: a read and a write queue, which feed one short queue a bank; those are visited in turn.
// As DRAMsim3 does it: github.com/umd-memsys/DRAMsim3 at 2981759, src/controller.cc and src/command_queue.cc.
#pragma once

#include <array>

#include "memory/bank_times.h"
#include "memory/channel.h"
#include "memory/request_queue.h"

namespace hadal::memory {

class BankQueues final : public Channel {
 public:
  explicit BankQueues(const Device& device);

  bool push(const Request& request, Tick at) override;
  void run(Tick at) override;
  [[nodiscard]] bool is_idle() const override;
  void rest(Tick until) override;

 private:
  struct Choice {
    Command command = Command::act;
    int bank = -1;  ///< -1: nothing can be issued.
    size_t entry = 0;
  };
  /// How many addresses of a set may be equal to one: never fewer than there are.
  struct Filter {
    std::array<uint16_t, 1024> count{};
    uint16_t& of(uint64_t address) { return count[(address * 0x9E3779B97F4A7C15ULL) >> 54]; }
  };

  Choice choose(Tick now);
  bool choose_in(int bank, Tick now, Choice& choice);
  Choice look_in(int bank, Tick now);
  void add_to_bank(const Request& request);
  bool may_close(int bank) const;
  Choice choose_refresh(Tick now);
  void issue(const Choice& choice, Tick now);
  bool move_one();
  bool is_ready(Command command, int bank, Tick now);
  [[nodiscard]] bool is_pending(const Request& request, bool write);
  void finish_read(const Request& request, Tick now);
  std::vector<Request>& queue_of(int bank) { return queues_[static_cast<size_t>(bank)]; }
  [[nodiscard]] bool all_empty() const { return waiting_ == 0; }

  BankTimes times_;
  Tick read_latency_, refresh_interval_;
  bool auto_precharge_;
  size_t bank_entries_, drain_above_;
  int64_t hit_limit_;
  RequestQueue reads_, writes_;
  std::vector<std::vector<Request>> queues_;  ///< Of each bank.
  std::vector<Request> merged_;               ///< Reads of an address that is read already: they return together.
  std::vector<Tick> quiet_until_;             ///< Of a bank: nothing it has can begin before, unless it gets more.
  std::vector<int64_t> hits_;                 ///< Column commands of a bank since it was opened.
  Filter pending_reads_, pending_writes_;
  Tick all_quiet_until_ = 0;   ///< The same of all banks.
  size_t waiting_ = 0;         ///< Entries in queues_ …
  size_t waiting_writes_ = 0;  ///< … and writes of them.
  size_t to_drain_ = 0;        ///< Writes that still go before reads do again.
  int last_bank_ = 0;
  int due_refreshes_ = 0;
  Tick refresh_at_ = never;
  Tick wake_ = never;  ///< While a tick is run: when something could begin that cannot now.
};

}  // namespace hadal::memory
