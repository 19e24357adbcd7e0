// The state of a channel's banks: which rows are open, and the first tick at which each command may begin.
#pragma once

#include <array>
#include <vector>

#include "memory/device.h"

namespace hadal::memory {

class BankTimes {
 public:
  explicit BankTimes(const Device& device);

  [[nodiscard]] int banks() const { return static_cast<int>(open_row_.size()); }
  [[nodiscard]] int pseudo_channel_of(int bank) const { return bank / banks_of_pseudo_channel_; }
  [[nodiscard]] int first_bank_of(int pseudo_channel) const { return pseudo_channel * banks_of_pseudo_channel_; }
  [[nodiscard]] int banks_of_pseudo_channel() const { return banks_of_pseudo_channel_; }

  /// The row that is open in a bank, -1 for none.
  [[nodiscard]] int32_t open_row(int bank) const { return open_row_[static_cast<size_t>(bank)]; }
  [[nodiscard]] int open_banks_of(int pseudo_channel) const { return open_count_[static_cast<size_t>(pseudo_channel)]; }
  [[nodiscard]] int open_banks() const;

  /// The first tick at which `command` may begin. PREA and REF take any bank of their pseudo-channel.
  [[nodiscard]] Tick ready(Command command, int bank) const {
    const auto c = static_cast<size_t>(command);
    const std::array<uint32_t, scope_count>& at = nodes_[static_cast<size_t>(bank)];
    const Tick wide = std::max(ready_[at[0]][c], ready_[at[1]][c]);
    if (command == Command::prea || command == Command::ref) return wide;
    return std::max(wide, std::max(ready_[at[2]][c], ready_[at[3]][c]));
  }

  /// A tick before which `command` may begin in no bank.
  [[nodiscard]] Tick earliest(Command command) const {
    const auto c = static_cast<size_t>(command);
    Tick tick = never;
    for (size_t node = first_node_[1]; node < first_node_[2]; ++node) tick = std::min(tick, ready_[node][c]);
    return std::max(tick, ready_[0][c]);
  }

  /// Begins `command` at tick `at`, which is not before ready(). `row` is what ACT opens.
  void issue(Command command, int bank, Tick at, int32_t row = -1);

  /// Forgets all constraints before `at`: for what has rested longer than any of them.
  void rest() {
    for (auto& node : ready_) node.fill(0);
  }

 private:
  struct Rule {
    Command to = Command::act;
    Tick delay = 0;
  };
  struct Window {
    Scope scope = Scope::bank;
    Command from = Command::act, to = Command::act;
    Tick delay = 0;
    size_t count = 1;
    std::vector<Tick> begun;  ///< `count` for each node of the scope, a ring.
    std::vector<size_t> next;
  };
  void close(int bank);
  void note(Window& window, uint32_t node, Tick at);

  int banks_of_pseudo_channel_;
  std::vector<std::array<uint32_t, scope_count>> nodes_;  ///< Of a bank: its place in ready_ at each scope.
  std::array<uint32_t, scope_count> first_node_{};
  std::vector<std::array<Tick, command_count>> ready_;
  std::array<std::array<std::vector<Rule>, command_count>, scope_count> rules_;
  std::vector<Window> windows_;
  std::vector<int32_t> open_row_;
  std::vector<int> open_count_;
};

}  // namespace hadal::memory
