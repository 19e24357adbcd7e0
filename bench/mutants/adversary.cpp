#include "bench/mutants/adversary.h"

#include <algorithm>
#include <map>
#include <random>

#include "isa/check.h"
#include "isa/sharing.h"
#include "machine/functional/events.h"
#include "machine/functional/kernel.h"
#include "machine/functional/memory.h"

namespace hadal::bench {

using isa::Queue;

namespace {

constexpr size_t engines = isa::queue_count - 1;
constexpr uint64_t most_steps = 1 << 22;

}  // namespace

struct Adversary::Item {
  const isa::Instruction* in = nullptr;  ///< With numbers in place of registers.
  std::unique_ptr<isa::Instruction> own;
  std::vector<isa::Box> boxes;  ///< Empty where it only waits and signals.
  uint32_t index = 0;
};

Adversary::Adversary(const isa::Program& program) : program_(&program) {
  for (const isa::Chain& chain : program.chains) chains_.push_back(machine::plan_of(chain));
  primitives_ = machine::SharedPrimitives::make();
  worker_ = std::make_unique<machine::Worker>(chains_, *primitives_);
}
Adversary::~Adversary() = default;

Result<std::unique_ptr<Adversary>> Adversary::of(const isa::Program& program) {
  HADAL_TRY(const isa::Walk walk, isa::Walk::of(program));
  std::unique_ptr<Adversary> adversary(new Adversary(program));
  const int64_t cores = program.limits.cores;
  adversary->lines_.resize(static_cast<size_t>(cores) * engines);
  isa::Boxes boxes;
  for (int64_t core = 0; core < cores; ++core) {
    isa::Sequencer sequencer(walk, core, cores);
    sequencer.limit(most_steps);
    while (const isa::Instruction* in = sequencer.next()) {
      auto& line = adversary->lines_[static_cast<size_t>(core) * engines + static_cast<size_t>(in->queue) - 1];
      Item& item = line.emplace_back();
      item.index = static_cast<uint32_t>(sequencer.index());
      item.in = in;
      if (in->op == isa::Opcode::sync || sequencer.dropped(*in)) continue;
      isa::resolve(sequencer, *in, boxes);
      if (boxes.idle) continue;
      HADAL_CHECK(isa::check(program, sequencer, *in, boxes));
      item.boxes.assign(boxes.box.begin(), boxes.box.begin() + static_cast<std::ptrdiff_t>(boxes.count));
      isa::Instruction numbers;
      if (&machine::with_numbers(sequencer, *in, numbers) == in) continue;
      item.own = std::make_unique<isa::Instruction>(std::move(numbers));
      item.in = item.own.get();
    }
    if (sequencer.error()) return *sequencer.error();
  }
  return adversary;
}

namespace {

/// The lines in the order in which they are asked, and exceptions for one instruction.
class Chooser {
 public:
  Chooser(const Schedule& schedule, size_t cores) : schedule_(schedule), random_(schedule.seed.value_or(0)) {
    for (const Queue queue : schedule.queues)
      for (size_t i = 0; i < cores; ++i)
        lines_.push_back((schedule.last_core_first ? cores - 1 - i : i) * engines + static_cast<size_t>(queue) - 1);
  }
  /// Calls try_line(line, may) until one goes on; `may(index)` says whether the instruction may.
  template <class TryLine>
  bool choose(const TryLine& try_line) {
    if (schedule_.seed) std::shuffle(lines_.begin(), lines_.end(), random_);
    const auto any = [&](const auto& may) {
      return std::ranges::any_of(lines_, [&](size_t line) { return try_line(line, may); });
    };
    if (schedule_.first && any([&](uint32_t index) { return index == *schedule_.first; })) return true;
    if (any([&](uint32_t index) { return index != schedule_.last; })) return true;
    return schedule_.last && any([](uint32_t) { return true; });
  }

 private:
  const Schedule& schedule_;
  std::mt19937_64 random_;
  std::vector<size_t> lines_;
};

bool has_met(const std::array<isa::Sync, 3>& waits, const std::array<int64_t, isa::semaphores>& counts) {
  return std::ranges::all_of(waits, [&](const isa::Sync& wait) { return counts[wait.id] >= wait.count; });
}

}  // namespace

/// One run: how far each line is, and the counts.
class Adversary::Execution {
 public:
  Execution(const Adversary& adversary, machine::Memory& memory)
      : program_(*adversary.program_), lines_(adversary.lines_), worker_(*adversary.worker_), memory_(memory) {
    at_.resize(lines_.size());
    counts_.resize(lines_.size() / engines);
    for (auto& counts : counts_)
      for (size_t s = 0; s < program_.semaphores.size(); ++s) counts[s] = program_.semaphores[s].initial;
  }

  /// Performs a line's next instruction, if it can begin and `may(index)`.
  template <class May>
  bool try_line(size_t line, const May& may) {
    const Item* item = head(line);
    if (item == nullptr || !may(item->index) || !status_.ok()) return false;
    const std::vector<size_t> group = group_of(line, *item);
    const auto ready = [&](size_t member) {
      const Item* own = head(member);
      return own != nullptr && own->index == item->index && has_met(own->in->waits, counts_[member / engines]);
    };
    if (!std::ranges::all_of(group, ready)) return false;
    for (const size_t member : group)
      for (const isa::Sync& wait : item->in->waits) counts_[member / engines][wait.id] -= wait.count;
    for (const size_t member : group) perform(member, *head(member));
    return true;
  }

  /// Errors: the kernels'; adversary.deadlock, where instructions are left.
  [[nodiscard]] Status finish() const {
    if (!status_) return status_.error();
    for (size_t line = 0; line < lines_.size(); ++line)
      if (head(line) != nullptr) return Error{"adversary.deadlock", "some queue waits for ever"};
    return {};
  }

 private:
  [[nodiscard]] const Item* head(size_t line) const {
    return at_[line] < lines_[line].size() ? &lines_[line][at_[line]] : nullptr;
  }

  /// The lines that begin this instruction together.
  [[nodiscard]] std::vector<size_t> group_of(size_t line, const Item& item) const {
    const isa::Sharing sharing = item.boxes.empty() ? isa::Sharing{} : isa::sharing_of(*item.in);
    if (!sharing.is_shared()) return {line};
    const int64_t first = sharing.first(static_cast<int64_t>(line / engines));
    std::vector<size_t> group;
    for (int64_t m = 0; m < sharing.members(first, std::ssize(counts_)); ++m)
      group.push_back(static_cast<size_t>(first + m * sharing.step) * engines + line % engines);
    return group;
  }

  void perform(size_t line, const Item& item) {
    const size_t core = line / engines;
    machine::Call call{program_, *item.in, item.index, options_, {}, memory_.accumulators(core), &worker_};
    for (size_t i = 0; i < item.boxes.size(); ++i)
      if (item.in->operands[i] != isa::no_view) {
        const isa::Box& box = item.boxes[i];
        const bool local = box.space == isa::Space::scratchpad;
        call.operands[i] = {local ? memory_.scratchpad(core) + box.offset : memory_.at(box), &box, false};
      }
    if (!item.boxes.empty() && status_.ok()) status_ = machine::kernel_of(item.in->op, false)(call);
    for (const isa::Sync& signal : item.in->signals)
      for (size_t to = signal.everywhere ? 0 : core; to < (signal.everywhere ? counts_.size() : core + 1); ++to)
        counts_[to][signal.id] += signal.count;
    ++at_[line];
  }

  const isa::Program& program_;
  const std::vector<std::vector<Item>>& lines_;
  machine::Worker& worker_;
  machine::Memory& memory_;
  machine::ValueOptions options_;
  std::vector<size_t> at_;  ///< Of each line: how many are done.
  std::vector<std::array<int64_t, isa::semaphores>> counts_;
  Status status_;
};

Result<std::vector<Tensor>> Adversary::run(const std::vector<Tensor>& inputs, const Schedule& schedule) const {
  const size_t cores = lines_.size() / engines;
  HADAL_TRY(machine::Memory memory, machine::Memory::of(*program_, static_cast<int64_t>(cores)));
  HADAL_CHECK(memory.bind(inputs));
  Execution execution(*this, memory);
  Chooser chooser(schedule, cores);
  while (chooser.choose([&](size_t line, const auto& may) { return execution.try_line(line, may); })) {
  }
  HADAL_CHECK(execution.finish());
  return memory.outputs();
}

std::vector<Schedule> schedules_of(uint64_t seed) {
  constexpr std::array<Queue, 6> all{Queue::load,   Queue::prefetch, Queue::matrix,
                                     Queue::vector, Queue::store,    Queue::host};
  std::vector<Schedule> out;
  for (size_t i = 0; i < all.size(); ++i)
    for (const bool first : {true, false}) {
      Schedule schedule{.queues = all, .last_core_first = i % 2 == 1};
      const auto at = schedule.queues.begin() + static_cast<std::ptrdiff_t>(i);
      first ? std::rotate(schedule.queues.begin(), at, at + 1) : std::rotate(at, at + 1, schedule.queues.end());
      out.push_back(schedule);
    }
  Schedule backwards{.queues = all};
  std::ranges::reverse(backwards.queues);
  out.push_back(backwards);
  for (uint64_t i = 0; i < 3; ++i) out.push_back({.queues = all, .seed = seed + i});
  return out;
}

std::vector<Schedule> schedules_around(uint32_t instruction, uint64_t seed) {
  std::vector<Schedule> out;
  for (Schedule schedule : schedules_of(seed)) {
    out.push_back(schedule);
    schedule.first = instruction;
    out.push_back(schedule);
    schedule.first.reset();
    schedule.last = instruction;
    out.push_back(schedule);
  }
  return out;
}

}  // namespace hadal::bench
