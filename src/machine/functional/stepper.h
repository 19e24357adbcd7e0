// A run one instruction at a time, by one thread, in one order that never changes.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "machine/functional/core.h"
#include "machine/functional/run.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

/// An instruction that has been executed.
struct Executed {
  size_t core = 0, instruction = 0;  ///< Its number in the code.
  const isa::Instruction* in = nullptr;
  bool worked = false;  ///< Not a `sync`, not dropped by its predicate, and no box was empty.
};

class Stepper {
 public:
  /// Inputs as ValueMachine::run takes them; the program outlives the stepper. Errors: those of ValueMachine::make, and
  /// run.input.
  static Result<std::unique_ptr<Stepper>> make(const isa::Program& program, int64_t cores, ValueOptions options,
                                               const std::vector<Tensor>& inputs);

  /// The core whose turn it is, which has an instruction whose waits can be met: each goes on until it must wait, then
  /// the next one. None: all have halted. Errors: the program's; sync.C1 where all that are left wait, sync.C4 at the
  /// end. After an error, the same again.
  Result<std::optional<size_t>> turn();
  /// Takes the turn. Errors: those of `turn`; run.ended.
  Result<Executed> step();
  /// The same for a core of the caller's choice; none: it has halted, or must wait.
  Result<std::optional<Executed>> step(size_t core);

  /// The core that `turn` came to last: where it failed, the one that did.
  [[nodiscard]] size_t last_turn() const { return turn_; }
  [[nodiscard]] size_t cores() const { return cores_.size(); }
  [[nodiscard]] const Core& core(size_t number) const { return *cores_[number]; }
  [[nodiscard]] bool halted(size_t core) const { return halted_[core]; }
  [[nodiscard]] int32_t semaphore(size_t core, size_t id) const { return semaphores_[core]->count(id); }
  [[nodiscard]] const Memory& memory() const { return memory_; }
  /// The first byte of a box, as a core sees it.
  [[nodiscard]] const std::byte* at(const isa::Box& box, size_t core) const;

 private:
  Stepper(const isa::Program& program, const ValueOptions& options, isa::Walk walk, Memory memory);
  void make_cores(size_t cores);
  /// Whether the core has an instruction that can begin.
  Result<bool> can_step(size_t core);
  Error fail(Error error);

  const isa::Program& program_;
  ValueOptions options_;
  isa::Walk walk_;
  Memory memory_;
  std::vector<ChainPlan> chains_;
  std::unique_ptr<SharedPrimitives> primitives_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::unique_ptr<Semaphores>> semaphores_;
  std::vector<std::unique_ptr<Bindings>> bindings_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::vector<bool> halted_;
  size_t turn_ = 0;
  std::optional<Error> error_;
};

}  // namespace hadal::machine
