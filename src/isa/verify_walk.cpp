#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "isa/check.h"
#include "isa/fields.h"
#include "isa/findings.h"
#include "isa/sharing.h"

namespace hadal::isa {

namespace {

constexpr int64_t most_count = 32767;

bool is_matrix(Opcode op) { return op >= Opcode::matmul && op <= Opcode::matmul_scaled; }

/// Partial sums that stand in one core's accumulator: bytes by offset.
class Accumulator {
 public:
  /// Takes one matrix instruction; false where it breaks matmul.C4.
  bool take(const Sequencer& sequencer, const Instruction& in, const Box& out) {
    const int64_t offset = sequencer.number(in.fields[at::accumulator]), bytes = out.elements() * 4;
    const auto found = tiles_.find(offset);
    const bool same = found != tiles_.end() && found->second == bytes;
    if (sequencer.number(in.fields[at::accumulate]) != 0 ? !same : overlaps(offset, bytes)) return false;
    if (sequencer.number(in.fields[at::emit]) != 0)
      tiles_.erase(offset);
    else
      tiles_[offset] = bytes;
    return true;
  }
  [[nodiscard]] bool empty() const { return tiles_.empty(); }

 private:
  [[nodiscard]] bool overlaps(int64_t offset, int64_t bytes) const {
    return std::any_of(tiles_.begin(), tiles_.end(), [&](const auto& tile) {
      return tile.first < offset + bytes && offset < tile.first + tile.second;
    });
  }
  std::map<int64_t, int64_t> tiles_;
};

struct Core {
  Sequencer sequencer;
  const Instruction* pending = nullptr;  ///< Stands at its waits.
  bool halted = false, waited = false;   ///< `pending` has taken its waits.
  uint64_t meeting = 0;                  ///< Number of the one it stands in.
  std::array<int64_t, semaphores> counts{};
  Accumulator accumulator;
};

/// A group's shared loads, one after another: how many cores have come to the present one, and what it is.
struct Meeting {
  uint64_t number = 0;
  int64_t arrived = 0;
  size_t instruction = 0;
  Box box;
};

bool same_bytes(const Box& a, const Box& b) {
  return a.region == b.region && a.tensor == b.tensor && a.offset == b.offset && a.rank == b.rank &&
         a.extents == b.extents && a.origins == b.origins;
}

class Walker {
 public:
  Walker(const Walk& walk, uint64_t budget) : program_(walk.program()), budget_(budget) {
    const int64_t cores = program_.limits.cores;
    for (int64_t core = 0; core < cores; ++core) {
      cores_.push_back({Sequencer(walk, core, cores), nullptr, false, false, 0, {}, {}});
      for (size_t i = 0; i < program_.semaphores.size(); ++i) cores_.back().counts[i] = program_.semaphores[i].initial;
    }
  }
  void set(const Parameter& parameter, int64_t value) {
    for (Core& core : cores_) core.sequencer.set(parameter.destination, value);
  }

  Status run() {
    bool moved = true;
    while (moved && budget_ > 0) {
      moved = false;
      for (Core& core : cores_) {
        HADAL_TRY(const bool advanced, advance(core));
        moved |= advanced;
      }
    }
    return budget_ > 0 ? finish() : Status();
  }

 private:
  [[nodiscard]] Error fail(const Core& core, const char* rule, std::string message) const {
    const auto number = &core - cores_.data();
    return {rule, std::move(message), fmt::format("core {}, {}", number, place_of(program_, core.sequencer.index()))};
  }

  /// Walks a core until it stands or halts; whether it moved.
  Result<bool> advance(Core& core) {
    bool moved = false;
    while (!core.halted && budget_ > 0) {
      if (core.pending == nullptr) {
        core.sequencer.limit(budget_);
        core.pending = core.sequencer.next();
        budget_ =
            core.sequencer.error() && core.sequencer.error()->code == "run.budget" ? 0 : core.sequencer.steps_left();
        if (budget_ == 0) return moved;
        if (core.sequencer.error()) return *core.sequencer.error();
        core.halted = core.pending == nullptr;
        moved = true;
        if (core.halted) return moved;
      }
      if (!core.waited) {
        if (!take_waits(core)) return moved;
        core.waited = moved = true;
        HADAL_CHECK(meet(core));
      }
      if (apart(core)) return moved;
      HADAL_CHECK(work(core));
      HADAL_CHECK(signal(core));
      core.pending = nullptr;
      core.waited = false;
      moved = true;
    }
    return moved;
  }

  void spend(uint64_t steps) { budget_ -= std::min(budget_, steps / 64); }

  static bool take_waits(Core& core) {
    for (const Sync& wait : core.pending->waits)
      if (wait.count > 0 && core.counts[wait.id] < wait.count) return false;
    for (const Sync& wait : core.pending->waits) core.counts[wait.id] -= wait.count;
    return true;
  }

  [[nodiscard]] static Sharing sharing_of(const Core& core) {
    return core.sequencer.dropped(*core.pending) ? Sharing{} : isa::sharing_of(*core.pending);
  }
  /// A core comes to a shared load; the last of a group lets all go on.
  Status meet(Core& core) {
    const Sharing sharing = sharing_of(core);
    if (!sharing.is_shared()) return {};
    resolve(core.sequencer, *core.pending, boxes_);
    const int64_t first = sharing.first(&core - cores_.data());
    Meeting& meeting = meetings_[{first, sharing.size, sharing.step}];
    if (meeting.arrived == 0) meeting = {meeting.number, 0, core.sequencer.index(), boxes_.box[1]};
    if (meeting.instruction != core.sequencer.index() || !same_bytes(meeting.box, boxes_.box[1]))
      return fail(core, "share.C1",
                  fmt::format("another core of its group is at {}, or loads another box",
                              place_of(program_, meeting.instruction)));
    core.meeting = meeting.number;
    if (++meeting.arrived < sharing.members(first, std::ssize(cores_))) return {};
    ++meeting.number;
    meeting.arrived = 0;
    return {};
  }

  /// Whether a core stands at a shared load that others of its group have not come to.
  bool apart(const Core& core) {
    const Sharing sharing = sharing_of(core);
    if (!sharing.is_shared()) return false;
    return meetings_[{sharing.first(&core - cores_.data()), sharing.size, sharing.step}].number == core.meeting;
  }

  Status work(Core& core) {
    const Instruction& in = *core.pending;
    if (in.operands.empty() || core.sequencer.dropped(in)) return {};
    resolve(core.sequencer, in, boxes_);
    if (boxes_.idle) return {};
    if (in.op == Opcode::resample)
      spend(static_cast<uint64_t>(boxes_.box[0].elements()));  // its table is looked through
    HADAL_CHECK(check(program_, core.sequencer, in, boxes_));
    if (!is_matrix(in.op) || core.accumulator.take(core.sequencer, in, boxes_.box[at::out])) return {};
    return fail(core, "matmul.C4", "it adds to sums that are not there, or replaces sums that have not left");
  }

  Status signal(Core& core) {
    for (const Sync& signal : core.pending->signals) {
      if (signal.count == 0) continue;
      if (signal.everywhere) spend(cores_.size());
      const auto begin = signal.everywhere ? cores_.begin() : cores_.begin() + (&core - cores_.data());
      const auto end = signal.everywhere ? cores_.end() : begin + 1;
      for (auto to = begin; to != end; ++to)
        if ((to->counts[signal.id] += signal.count) > most_count)
          return fail(core, "sync.C5",
                      fmt::format("{} passes {}", printable(program_.semaphores[signal.id].name), most_count));
    }
    return {};
  }

  /// No core moves any more: all have halted with the counts that they began with, or the program is wrong.
  Status finish() {
    for (const Core& core : cores_) {
      if (core.halted) continue;
      if (core.waited)
        return fail(core, "share.C1",
                    fmt::format("the other {} cores of its group do not come to this load", sharing_of(core).size - 1));
      for (const Sync& wait : core.pending->waits)
        if (wait.count > 0 && core.counts[wait.id] < wait.count)
          return fail(core, "sync.C1",
                      fmt::format("waits for {} of {}, which stands at {}; no other instruction before it signals",
                                  wait.count, printable(program_.semaphores[wait.id].name), core.counts[wait.id]));
    }
    for (const Core& core : cores_) {
      for (size_t i = 0; i < program_.semaphores.size(); ++i)
        if (core.counts[i] != program_.semaphores[i].initial)
          return fail(core, "sync.C4",
                      fmt::format("{} ends at {} and began at {}", printable(program_.semaphores[i].name),
                                  core.counts[i], program_.semaphores[i].initial));
      if (!core.accumulator.empty()) return fail(core, "matmul.C4", "sums are left that no instruction emits");
    }
    return {};
  }

  const Program& program_;
  uint64_t budget_;
  std::vector<Core> cores_;
  std::map<std::array<int64_t, 3>, Meeting> meetings_;  ///< By the group's first core, size and step.
  Boxes boxes_;
};

}  // namespace

Status verify_walk(const Program& program, uint64_t budget) {
  HADAL_TRY(const Walk walk, Walk::of(program));
  const auto set_by_caller = [](const Parameter& p) { return p.name != "core_id" && p.name != "core_count"; };
  const bool free = std::any_of(program.parameters.begin(), program.parameters.end(), set_by_caller);
  // Sizes that the caller sets are walked at both ends of their range; between them, `check` stands at run time.
  for (const bool largest : {false, true}) {
    if (largest && !free) break;
    Walker walker(walk, budget);
    for (const Parameter& parameter : program.parameters)
      if (set_by_caller(parameter)) walker.set(parameter, largest ? parameter.maximum : parameter.minimum);
    HADAL_CHECK(walker.run());
  }
  return {};
}

}  // namespace hadal::isa
