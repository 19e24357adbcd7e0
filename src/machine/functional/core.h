// One core of the functional machine: it executes its instructions one by one, in program order, until a wait blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "isa/sequencer.h"
#include "machine/functional/bindings.h"
#include "machine/functional/kernel.h"
#include "machine/functional/memory.h"

namespace hadal::machine {

/// Counts of one core's semaphores. Any core signals; only the owner takes.
class Semaphores {
 public:
  void reset(const isa::Program& program);
  /// Takes all waits of an instruction, or none.
  bool take(const std::array<isa::Sync, 3>& waits);
  void signal(uint8_t id, int32_t count) { counts_[id].fetch_add(count); }
  [[nodiscard]] int32_t count(size_t id) const { return counts_[id].load(); }

 private:
  std::array<std::atomic<int32_t>, isa::semaphores> counts_{};
};

/// What all cores of a run share.
struct Shared {
  const isa::Program& program;
  const isa::Walk& walk;
  const ValueOptions& options;
  Memory& memory;
  std::vector<std::unique_ptr<Semaphores>>& semaphores;  ///< Of each core.
  std::vector<std::unique_ptr<Bindings>>& bindings;      ///< Of each core.
  const std::atomic<bool>& cancelled;                    ///< From outside: the run is to end.
  std::function<void()> signalled;                       ///< Called after a signal that other cores may wait for.
  std::atomic<uint64_t> executed{0};                     ///< Instructions of all cores, in steps.
  std::atomic<bool> stop{false};                         ///< Some core has failed.
};

class Core {
 public:
  enum class State : uint8_t { executed, blocked, done, failed, stopped };

  Core(Shared& shared, size_t number, size_t cores);

  /// Executes until a wait blocks, `halt`, or an error. One thread at a time.
  State step(Worker& worker);
  /// Executes one instruction, if its waits can be met.
  State advance(Worker& worker);
  /// Finds the instruction that `advance` will execute: `executed` where there is one.
  State find_next();
  /// Whether the wait that blocked the last step can be met.
  [[nodiscard]] bool ready() const;
  /// The instruction found and not executed; null before `find_next`, and at the end.
  [[nodiscard]] const isa::Instruction* waiting() const { return waiting_; }
  /// As they are at the instruction that was found or executed last.
  [[nodiscard]] const isa::Sequencer& sequencer() const { return sequencer_; }
  [[nodiscard]] const isa::Boxes& boxes() const { return boxes_; }
  [[nodiscard]] const Error& error() const { return *error_; }
  /// sync.C1: the wait that is never met.
  [[nodiscard]] Error deadlock() const;
  /// Errors: sync.C4, a count that is not the initial one after `halt`.
  [[nodiscard]] Status check_balance() const;
  /// Adds what was executed to `counts`; `tick` is the length of a clock tick in seconds.
  void add_to(ValueCounts& counts, double tick) const;

 private:
  Status execute(const isa::Instruction& in, Worker& worker);
  Status find_operands(Call& call);
  void release_memory(const isa::Instruction& in);
  void overwrite_scratchpad(const Call& call);
  bool load_by_binding(const Call& call);
  void signal(const isa::Instruction& in);
  bool count_instruction();
  State fail(Error error);

  Shared& shared_;
  size_t number_;
  isa::Sequencer sequencer_;
  Semaphores& semaphores_;
  Bindings& bindings_;
  isa::Boxes boxes_;
  isa::Instruction numbers_;                   ///< The instruction with its registers put in.
  const isa::Instruction* waiting_ = nullptr;  ///< The next instruction, where its waits are not taken yet.
  std::optional<Error> error_;
  std::array<uint64_t, 128> executed_{};
  uint64_t uncounted_ = 0, macs_ = 0, kernel_ticks_ = 0;
};

}  // namespace hadal::machine
