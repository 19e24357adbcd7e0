// The functional machine: memory, cores and threads put together.
#include <algorithm>
#include <atomic>

#include "machine/functional/cancel.h"
#include "machine/functional/clock.h"
#include "machine/functional/core.h"
#include "machine/functional/replay.h"
#include "machine/functional/run.h"
#include "machine/functional/runnable.h"
#include "machine/functional/scheduler.h"

namespace hadal::machine {

namespace {

class Machine final : public ValueMachine {
 public:
  Machine(const isa::Program& program, size_t cores, const ValueOptions& options, isa::Walk walk, Memory memory)
      : program_(program),
        options_(options),
        walk_(std::move(walk)),
        memory_(std::move(memory)),
        primitives_(SharedPrimitives::make()),
        team_(std::clamp<size_t>(static_cast<size_t>(std::max(options.threads, 1)), 1, cores)) {
    for (const isa::Chain& chain : program.chains) chains_.push_back(plan_of(chain));
    for (size_t i = 0; i < team_.size(); ++i) workers_.push_back(std::make_unique<Worker>(chains_, *primitives_));
    for (size_t i = 0; i < cores; ++i) semaphores_.push_back(std::make_unique<Semaphores>());
  }

  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, ValueCounts& counts) override {
    cancelled_ = false;
    const double start = seconds_now();
    const uint64_t first_tick = ticks_now();
    HADAL_CHECK(memory_.bind(inputs));
    if (!tried_ && !options_.exact && options_.bind_loads)
      replay_ = Replay::of(walk_, options_, memory_, semaphores_.size(), workers_);
    tried_ = true;
    std::vector<std::unique_ptr<Core>> cores;
    Status status = replay_ ? replay_->run(team_, memory_, cancelled_) : interpret(cores);
    if (cancelled_) status = Error{"run.cancelled", "the run was cancelled", printable(program_.model)};
    std::vector<Tensor> outputs = memory_.outputs();
    memory_.release();
    if (!status) return Error(status.error());
    const double seconds = seconds_now() - start;
    const double tick = seconds / static_cast<double>(std::max<uint64_t>(ticks_now() - first_tick, 1));
    counts = replay_ ? replay_->counts(tick) : ValueCounts();
    for (const auto& core : cores) core->add_to(counts, tick);
    counts.seconds = seconds;
    counts.packing_seconds = primitives_->take_seconds();
    return outputs;
  }

  void cancel() { cancelled_ = true; }

 private:
  /// Instruction by instruction.
  Status interpret(std::vector<std::unique_ptr<Core>>& cores) {
    for (auto& semaphores : semaphores_) semaphores->reset(program_);
    std::vector<std::unique_ptr<Bindings>> bindings;
    for (size_t i = 0; i < semaphores_.size(); ++i)
      bindings.push_back(std::make_unique<Bindings>(memory_.scratchpad(i)));
    Scheduler scheduler(team_, workers_);
    Shared shared{program_,    walk_,    options_,   memory_,
                  semaphores_, bindings, cancelled_, [&] { scheduler.signalled(); }};
    for (size_t i = 0; i < semaphores_.size(); ++i)
      cores.push_back(std::make_unique<Core>(shared, i, semaphores_.size()));
    HADAL_CHECK(scheduler.run(shared, cores));
    for (const auto& core : cores) HADAL_CHECK(core->check_balance());
    return {};
  }

  const isa::Program& program_;
  ValueOptions options_;
  isa::Walk walk_;
  Memory memory_;
  std::vector<ChainPlan> chains_;
  std::unique_ptr<SharedPrimitives> primitives_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Semaphores>> semaphores_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<Replay> replay_;  ///< Null where the program is interpreted.
  bool tried_ = false;              ///< Whether there can be a replay has been seen.
  Team team_;                       ///< Last: its threads use the others.
};

}  // namespace

void cancel(ValueMachine& machine) { static_cast<Machine&>(machine).cancel(); }

Result<std::unique_ptr<ValueMachine>> ValueMachine::make(const isa::Program& program, int64_t cores,
                                                         const ValueOptions& options) {
  HADAL_CHECK(check_runnable(program, cores));
  HADAL_TRY(isa::Walk walk, isa::Walk::of(program));
  HADAL_TRY(Memory memory, Memory::of(program, cores));
  return std::unique_ptr<ValueMachine>(
      std::make_unique<Machine>(program, static_cast<size_t>(cores), options, std::move(walk), std::move(memory)));
}

}  // namespace hadal::machine
