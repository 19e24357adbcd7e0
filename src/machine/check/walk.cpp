#include "machine/check/walk.h"

#include <algorithm>
#include <array>
#include <map>

#include "isa/sharing.h"
#include "machine/check/deadlock.h"

namespace hadal::machine::check {

namespace {

using isa::Opcode;

/// Cores that have come to their next shared load, of one group and queue.
struct Meeting {
  int64_t arrived = 0;
  uint64_t number = 0;
};

class Walker {
 public:
  Walker(const isa::Walk& walk, size_t cores, const CheckOptions& options, const Visit& visit)
      : program_(walk.program()), options_(options), visit_(visit) {
    for (size_t i = 0; i < cores; ++i) {
      Core& core =
          cores_.emplace_back(Core{isa::Sequencer(walk, static_cast<int64_t>(i), static_cast<int64_t>(cores))});
      core.sequencer.limit(options.instruction_budget);
      for (size_t s = 0; s < program_.semaphores.size(); ++s) core.counts[s] = program_.semaphores[s].initial;
    }
  }

  Trace run() {
    bool moved = true;
    while (moved && !trace_.too_long) {
      moved = false;
      for (Core& core : cores_) moved |= advance(core);
    }
    if (trace_.too_long) return std::move(trace_);
    if (std::ranges::any_of(cores_, [](const Core& core) { return !core.halted; }))
      trace_.findings.push_back(deadlock_of(program_, cores_));
    else
      check_balance();
    return std::move(trace_);
  }

 private:
  /// Walks a core until it waits or halts; whether it moved.
  bool advance(Core& core) {
    bool moved = false;
    while (!core.halted) {
      if (core.pending == nullptr) {
        core.pending = core.sequencer.next();
        moved = true;
        if (core.pending == nullptr) return halt(core);
      }
      if (!core.waited) {
        if (!take_waits(core)) return moved;
        core.waited = moved = true;
        meet(core);
      }
      if (apart(core)) return moved;
      step(core);
      if (trace_.steps.size() > options_.instruction_budget) trace_.too_long = true;
      if (trace_.too_long) return false;
      core.pending = nullptr;
      core.waited = false;
    }
    return moved;
  }

  bool halt(Core& core) {
    core.halted = true;
    const auto& error = core.sequencer.error();
    if (error && error->code == "run.budget") trace_.too_long = true;
    if (error && !trace_.too_long) trace_.findings.push_back({error->code, error->message, {site(core)}});
    return true;
  }

  [[nodiscard]] Site site(const Core& core) const {
    return {static_cast<uint32_t>(number(core)), static_cast<uint32_t>(core.sequencer.index())};
  }
  [[nodiscard]] size_t number(const Core& core) const { return static_cast<size_t>(&core - cores_.data()); }

  static bool take_waits(Core& core) {
    for (const isa::Sync& wait : core.pending->waits)
      if (wait.count > 0 && core.counts[wait.id] < wait.count) return false;
    for (const isa::Sync& wait : core.pending->waits) core.counts[wait.id] -= wait.count;
    return true;
  }

  [[nodiscard]] Meeting& meeting_of(const Core& core, const isa::Sharing& sharing) {
    return meetings_[{static_cast<int64_t>(core.pending->queue), sharing.first(static_cast<int64_t>(number(core))),
                      sharing.size, sharing.step}];
  }
  /// A core comes to a shared load; the last of a group lets all go on.
  void meet(Core& core) {
    const isa::Sharing sharing = sharing_of(core);
    if (!sharing.is_shared()) return;
    Meeting& meeting = meeting_of(core, sharing);
    core.meeting = meeting.number;
    if (++meeting.arrived < sharing.members(sharing.first(static_cast<int64_t>(number(core))), std::ssize(cores_)))
      return;
    ++meeting.number;
    meeting.arrived = 0;
  }
  bool apart(const Core& core) {
    const isa::Sharing sharing = sharing_of(core);
    return sharing.is_shared() && meeting_of(core, sharing).number == core.meeting;
  }

  void step(Core& core) {
    const isa::Instruction& in = *core.pending;
    const auto index = static_cast<uint32_t>(core.sequencer.index());
    trace_.steps.push_back({index, ++core.positions[engine_of(in)], static_cast<uint16_t>(number(core)), false});
    if (in.op != Opcode::sync && !core.sequencer.dropped(in)) work(core, in);
    for (const isa::Sync& signal : in.signals) {
      if (signal.count == 0) continue;
      if (!signal.everywhere) core.counts[signal.id] += signal.count;
      for (size_t to = 0; signal.everywhere && to < cores_.size(); ++to) cores_[to].counts[signal.id] += signal.count;
    }
  }

  void work(const Core& core, const isa::Instruction& in) {
    isa::resolve(core.sequencer, in, boxes_);
    if (boxes_.idle) return;
    if (const Status status = isa::check(program_, core.sequencer, in, boxes_); !status) {
      if (trace_.findings.size() < options_.most)
        trace_.findings.push_back({status.error().code, status.error().message, {site(core)}});
      return;
    }
    trace_.steps.back().works = true;
    visit_(static_cast<uint32_t>(trace_.steps.size() - 1), in, core.sequencer, boxes_);
  }

  void check_balance() {
    for (const Core& core : cores_)
      for (size_t s = 0; s < program_.semaphores.size(); ++s)
        if (core.counts[s] != program_.semaphores[s].initial) {
          trace_.findings.push_back({"sync.C4",
                                     fmt::format("semaphore {} of core {} ends with {}; it began with {}",
                                                 semaphore_name(program_, static_cast<uint8_t>(s)), number(core),
                                                 core.counts[s], program_.semaphores[s].initial),
                                     {}});
          return;
        }
  }

  const isa::Program& program_;
  const CheckOptions& options_;
  const Visit& visit_;
  std::vector<Core> cores_;
  std::map<std::array<int64_t, 4>, Meeting> meetings_;
  isa::Boxes boxes_;
  Trace trace_;
};

}  // namespace

Trace walk_program(const isa::Walk& walk, size_t cores, const CheckOptions& options, const Visit& visit) {
  return Walker(walk, cores, options, visit).run();
}

void walk_again(const isa::Walk& walk, size_t cores, const Trace& trace, const Visit& visit) {
  std::vector<isa::Sequencer> sequencers;
  for (size_t i = 0; i < cores; ++i)
    sequencers.emplace_back(walk, static_cast<int64_t>(i), static_cast<int64_t>(cores));
  isa::Boxes boxes;
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    isa::Sequencer& sequencer = sequencers[trace.steps[i].core];
    const isa::Instruction& in = *sequencer.next();
    if (!trace.steps[i].works) continue;
    isa::resolve(sequencer, in, boxes);
    visit(static_cast<uint32_t>(i), in, sequencer, boxes);
  }
}

std::string semaphore_name(const isa::Program& program, uint8_t id) {
  const bool named = id < program.semaphores.size() && !program.semaphores[id].name.empty();
  return named ? printable(program.semaphores[id].name) : fmt::format("#{}", id);
}

}  // namespace hadal::machine::check
