#include "machine/functional/stepper.h"

#include <algorithm>

#include "machine/functional/runnable.h"

namespace hadal::machine {

Result<std::unique_ptr<Stepper>> Stepper::make(const isa::Program& program, int64_t cores, ValueOptions options,
                                               const std::vector<Tensor>& inputs) {
  HADAL_CHECK(check_runnable(program, cores));
  HADAL_TRY(isa::Walk walk, isa::Walk::of(program));
  HADAL_TRY(Memory memory, Memory::of(program, cores));
  options.threads = 1;
  options.bind_loads = false;  // Whoever looks at a scratchpad sees what was loaded.
  std::unique_ptr<Stepper> stepper(new Stepper(program, options, std::move(walk), std::move(memory)));
  HADAL_CHECK(stepper->memory_.bind(inputs));
  stepper->make_cores(static_cast<size_t>(cores));
  return stepper;
}

Stepper::Stepper(const isa::Program& program, const ValueOptions& options, isa::Walk walk, Memory memory)
    : program_(program),
      options_(options),
      walk_(std::move(walk)),
      memory_(std::move(memory)),
      primitives_(SharedPrimitives::make()) {
  for (const isa::Chain& chain : program.chains) chains_.push_back(plan_of(chain));
  worker_ = std::make_unique<Worker>(chains_, *primitives_);
}

void Stepper::make_cores(size_t cores) {
  for (size_t i = 0; i < cores; ++i) {
    semaphores_.push_back(std::make_unique<Semaphores>());
    semaphores_.back()->reset(program_);
    bindings_.push_back(std::make_unique<Bindings>(memory_.scratchpad(i)));
  }
  shared_.reset(new Shared{program_, walk_, options_, memory_, semaphores_, bindings_, cancelled_, [] {}});
  for (size_t i = 0; i < cores; ++i) cores_.push_back(std::make_unique<Core>(*shared_, i, cores));
  halted_.resize(cores);
}

Error Stepper::fail(Error error) {
  error_ = std::move(error);
  return *error_;
}

Result<bool> Stepper::can_step(size_t core) {
  if (halted_[core]) return false;
  const Core::State state = cores_[core]->find_next();
  if (state == Core::State::failed) return fail(cores_[core]->error());
  halted_[core] = state == Core::State::done;
  return !halted_[core] && cores_[core]->ready();
}

Result<std::optional<size_t>> Stepper::turn() {
  if (error_) return *error_;
  for (size_t tried = 0; tried < cores_.size(); ++tried) {
    HADAL_TRY(const bool can, can_step(turn_));
    if (can) return std::optional(turn_);
    turn_ = (turn_ + 1) % cores_.size();
  }
  for (size_t i = 0; i < cores_.size(); ++i)
    if (!halted_[i]) return fail(cores_[i]->deadlock());
  for (const auto& core : cores_)
    if (const Status status = core->check_balance(); !status) return fail(status.error());
  return std::optional<size_t>();
}

Result<Executed> Stepper::step() {
  HADAL_TRY(const std::optional<size_t> core, turn());
  if (!core) return Error{"run.ended", "the program has ended"};
  HADAL_TRY(const std::optional<Executed> executed, step(*core));
  return *executed;
}

Result<std::optional<Executed>> Stepper::step(size_t number) {
  if (error_) return *error_;
  HADAL_TRY(const bool can, can_step(number));
  if (!can) return std::optional<Executed>();
  Core& core = *cores_[number];
  const isa::Instruction* in = core.waiting();
  const bool works = in->op != isa::Opcode::sync && !core.sequencer().dropped(*in);
  if (core.advance(*worker_) == Core::State::failed) return fail(core.error());
  return std::optional(Executed{number, core.sequencer().index(), in, works && !core.boxes().idle});
}

const std::byte* Stepper::at(const isa::Box& box, size_t core) const {
  return box.space == isa::Space::scratchpad ? memory_.scratchpad(core) + box.offset : memory_.at(box);
}

}  // namespace hadal::machine
