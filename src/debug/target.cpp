#include "debug/target.h"

namespace hadal::debug {

Result<Target> Target::of(const isa::Program& program, int64_t cores, const machine::ValueOptions& options,
                          const std::vector<Tensor>& inputs) {
  Target target;
  target.program_ = &program;
  HADAL_TRY(target.layers_, Layers::of(program, static_cast<size_t>(cores)));
  HADAL_TRY(target.stepper_, machine::Stepper::make(program, cores, options, inputs));
  target.executed_of_.resize(static_cast<size_t>(cores));
  return target;
}

void Target::count(const machine::Executed& executed) {
  layers_.count(executed);
  ++executed_;
  ++executed_of_[executed.core];
}

Result<std::string> Target::run(const Enough& enough) {
  for (bool standing = executed_ > 0;; standing = false) {  // Where it stands it has stopped before.
    HADAL_TRY(const std::optional<size_t> core, stepper_->turn());
    if (!core) return std::string();
    const size_t next = stepper_->core(*core).sequencer().index();
    for (const Breakpoint& breakpoint : breakpoints_)
      if (!standing && stops_before(breakpoint, *program_, next, layers_))
        return fmt::format("breakpoint {}: {}", breakpoint.number, printable(breakpoint.text));
    HADAL_TRY(const machine::Executed executed, stepper_->step());
    count(executed);
    for (const Breakpoint& breakpoint : breakpoints_)
      if (const auto reason = stop_behind(breakpoint, *program_, executed, *stepper_))
        return fmt::format("breakpoint {}: {}\n{}", breakpoint.number, printable(breakpoint.text), *reason);
    if (enough(executed)) return std::string();
  }
}

Status Target::run_to(const std::vector<uint64_t>& wanted) {
  const auto is_behind = [&](size_t core) { return executed_of_[core] < wanted[core]; };
  for (bool open = true; open;) {
    open = false;
    std::optional<machine::Executed> moved;
    for (size_t core = 0; core < wanted.size(); ++core)
      while (is_behind(core)) {
        HADAL_TRY(const auto executed, stepper_->step(core));
        if (!executed) break;
        count(*executed);
        moved = executed;
      }
    for (size_t core = 0; core < wanted.size(); ++core) open |= is_behind(core) && !stepper_->halted(core);
    if (!open || moved) continue;
    HADAL_TRY(const std::optional<size_t> other, stepper_->turn());  // What they wait for is further on elsewhere.
    if (!other) return {};
    HADAL_TRY(const machine::Executed executed, stepper_->step());
    count(executed);
  }
  return {};
}

}  // namespace hadal::debug
