#include "machine/functional/events.h"

#include <algorithm>
#include <deque>

#include "isa/check.h"
#include "isa/fields.h"
#include "isa/table.h"
#include "machine/functional/kernel.h"

namespace hadal::machine {

using isa::Opcode;

size_t written_operands(Opcode op) { return isa::row_of(op)->written_count(); }

bool is_matrix(Opcode op) { return op >= Opcode::matmul && op <= Opcode::matmul_scaled; }

bool writes(const isa::Instruction& in) { return !is_matrix(in.op) || in.fields[isa::at::emit].value != 0; }

ByteRange range_of(const isa::Box& box) {
  ByteRange range{box.offset, box.offset + bytes_of(box.dtype)};
  for (size_t axis = 0; axis < box.rank; ++axis) {
    const int64_t reach = (box.extents[axis] - 1) * box.strides[axis];
    (reach < 0 ? range.begin : range.end) += reach;
  }
  return range;
}

const isa::Instruction& with_numbers(const isa::Sequencer& sequencer, const isa::Instruction& in,
                                     isa::Instruction& buffer) {
  const auto is_register = [](const isa::Field& field) { return field.is_register; };
  if (std::none_of(in.fields.begin(), in.fields.end(), is_register)) return in;
  buffer = in;
  for (isa::Field& field : buffer.fields) field = {sequencer.number(field), false};
  return buffer;
}

namespace {

constexpr size_t most_events = 1 << 17;
constexpr uint64_t most_steps = 1 << 23;

/// A core's semaphore: what signals gave and nobody took, in order.
class Tokens {
 public:
  void give(uint32_t event, int64_t count) {
    given_.push_back({event, count});
    count_ += count;
  }
  [[nodiscard]] int64_t count() const { return count_; }
  /// Whether any of the oldest `count` satisfies is(event).
  template <class Is>
  [[nodiscard]] bool any(int64_t count, const Is& is) const {
    for (auto given = given_.begin(); count > 0 && given != given_.end(); count -= given++->second)
      if (given->first != no_event && is(given->first)) return true;
    return false;
  }
  /// Takes from the oldest; calls from(event) for each that gave.
  template <class From>
  void take(int64_t count, const From& from) {
    count_ -= count;
    while (count > 0) {
      auto& [event, left] = given_.front();
      const int64_t part = std::min(count, left);
      if (event != no_event) from(event);
      count -= part;
      left -= part;
      if (left == 0) given_.pop_front();
    }
  }

 private:
  std::deque<std::pair<uint32_t, int64_t>> given_;
  int64_t count_ = 0;
};

class Walker {
 public:
  Walker(const isa::Walk& walk, size_t cores, uint64_t budget)
      : program_(walk.program()), budget_(std::min(budget, most_steps)), tokens_(cores) {
    for (size_t i = 0; i < cores; ++i) {
      sequencers_.emplace_back(walk, static_cast<int64_t>(i), static_cast<int64_t>(cores));
      sequencers_.back().limit(budget_);
      for (size_t s = 0; s < program_.semaphores.size() && s < isa::semaphores; ++s)
        if (program_.semaphores[s].initial > 0) tokens_[i][s].give(no_event, program_.semaphores[s].initial);
    }
    waiting_.resize(cores);
    done_.resize(cores);
  }

  /// Steps the cores in turn, each until it blocks. False where it cannot go on.
  bool run() {
    size_t left = sequencers_.size();
    while (left > 0) {
      bool moved = false;
      round_ = result.list.size();
      for (size_t core = 0; core < sequencers_.size(); ++core) {
        if (done_[core]) continue;
        const uint64_t before = steps_;
        if (!step(core)) return false;
        moved |= steps_ > before || done_[core];
        left -= done_[core] ? 1 : 0;
      }
      if (!moved) return false;  // a deadlock
    }
    return balanced();
  }

  Events result;

 private:
  bool step(size_t core) {
    isa::Sequencer& sequencer = sequencers_[core];
    while (true) {
      if (!waiting_[core]) {
        waiting_[core] = sequencer.next();
        if (sequencer.error()) return false;
        steps_ += 1 + sequencer.lets() + sequencer.controls();
        if (steps_ >= budget_ || result.list.size() >= most_events) return false;
        result.counts.executed[Opcode::let] += sequencer.lets();
        if (!waiting_[core]) {
          ++result.counts.executed[Opcode::halt];
          done_[core] = true;
          return true;
        }
      }
      const isa::Instruction& in = *waiting_[core];
      if (must_wait(core, in)) return true;
      if (!execute(core, in)) return false;
      waiting_[core] = nullptr;
    }
  }

  /// Whether counts are too low, or were given by other cores in this round: what a core does in a round needs only
  /// earlier rounds.
  bool must_wait(size_t core, const isa::Instruction& in) const {
    for (const isa::Sync& wait : in.waits) {
      if (wait.count == 0) continue;
      const Tokens& tokens = tokens_[core][wait.id];
      const auto is_new = [&](uint32_t e) { return e >= round_ && result.list[e].core != core; };
      if (tokens.count() < wait.count || tokens.any(wait.count, is_new)) return true;
    }
    return false;
  }

  bool execute(size_t core, const isa::Instruction& in) {
    const auto number = static_cast<uint32_t>(result.list.size());
    Event& event = result.list.emplace_back();
    const isa::Sequencer& sequencer = sequencers_[core];
    event.core = static_cast<uint32_t>(core);
    event.index = static_cast<uint32_t>(sequencer.index());
    event.in = &in;
    for (const isa::Sync& wait : in.waits)
      if (wait.count != 0)
        tokens_[core][wait.id].take(wait.count, [&](uint32_t giver) {
          if (result.list[giver].core != core) event.after.push_back(giver);
        });
    ++result.counts.executed[in.op];
    if (in.op != Opcode::sync && !sequencer.dropped(in) && !resolve(event, sequencer)) return false;
    for (const isa::Sync& sync : in.signals) {
      if (sync.count == 0) continue;
      for (size_t to = sync.everywhere ? 0 : core; to < (sync.everywhere ? tokens_.size() : core + 1); ++to)
        tokens_[to][sync.id].give(number, sync.count);
    }
    return true;
  }

  /// Puts the registers in. False where the instruction is wrong.
  bool resolve(Event& event, const isa::Sequencer& sequencer) {
    isa::resolve(sequencer, *event.in, boxes_);
    if (boxes_.idle) return true;
    if (!isa::check(program_, sequencer, *event.in, boxes_)) return false;
    event.boxes.assign(boxes_.box.begin(), boxes_.box.begin() + static_cast<std::ptrdiff_t>(boxes_.count));
    isa::Instruction numbers;
    if (&with_numbers(sequencer, *event.in, numbers) == event.in) return true;
    event.own = std::make_unique<isa::Instruction>(std::move(numbers));
    event.in = event.own.get();
    return true;
  }

  [[nodiscard]] bool balanced() const {
    for (const auto& tokens : tokens_)
      for (size_t s = 0; s < tokens.size(); ++s)
        if (tokens[s].count() != (s < program_.semaphores.size() ? program_.semaphores[s].initial : 0)) return false;
    return true;
  }

  const isa::Program& program_;
  uint64_t budget_, steps_ = 0;
  size_t round_ = 0;  ///< The first event of this round.
  std::vector<isa::Sequencer> sequencers_;
  std::vector<std::array<Tokens, isa::semaphores>> tokens_;
  std::vector<const isa::Instruction*> waiting_;
  std::vector<bool> done_;
  isa::Boxes boxes_;
};

}  // namespace

std::optional<Events> events_of(const isa::Walk& walk, size_t cores, uint64_t budget) {
  Walker walker(walk, cores, budget);
  if (!walker.run()) return std::nullopt;
  return std::move(walker.result);
}

}  // namespace hadal::machine
