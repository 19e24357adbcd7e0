// From the events of all cores to steps and units.
#include <algorithm>
#include <utility>

#include "machine/functional/bound_loads.h"
#include "machine/functional/direct_stores.h"
#include "machine/functional/replay.h"

namespace hadal::machine {

using isa::Opcode;

namespace {

/// A guess, good enough to share work out evenly.
double nanoseconds_of(const Event& event) {
  if (event.boxes.empty()) return 5;
  const auto elements = static_cast<double>(event.boxes[0].elements());
  if (!is_matrix(event.in->op)) return 50 + elements / 8;
  double depth = 1;  // conv: all axes of the weights but the outputs
  const isa::Box& b = event.boxes[2];
  for (size_t i = 0; i + 1 < b.rank; ++i) depth *= static_cast<double>(b.extents[i]);
  if (event.in->op == Opcode::matmul || event.in->op == Opcode::matmul_scaled)
    depth = static_cast<double>(event.boxes[1].elements()) / static_cast<double>(event.boxes[0].extents[1]);
  return 150 + elements / 8 + elements * depth / 40;
}

/// A round over the cores: each executes until it must wait for another.
struct Round {
  size_t begin = 0, end = 0;  ///< Events.
  double nanoseconds = 0;
};

std::vector<Round> rounds_of(const std::vector<Event>& events) {
  std::vector<Round> rounds;
  for (size_t e = 0; e < events.size(); ++e) {
    if (e == 0 || events[e].core < events[e - 1].core) rounds.push_back({e, e, 0});
    rounds.back().end = e + 1;
    rounds.back().nanoseconds += nanoseconds_of(events[e]);
  }
  return rounds;
}

/// Whether rounds are so short that handing work over would cost more than it gains.
bool too_short_to_share(const std::vector<Round>& rounds) {
  constexpr double least = 10e3;  // nanoseconds
  double total = 0;
  for (const Round& round : rounds) total += round.nanoseconds;
  return total < least * static_cast<double>(rounds.size());
}

}  // namespace

/// Makes the steps and units of a replay from events, in their order. Nothing depends on the number of threads.
class Planner {
 public:
  Planner(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores, Events& events)
      : program_(walk.program()),
        options_(options),
        memory_(memory),
        events_(events.list),
        map_(program_),
        unit_of_core_(cores, none) {}

  /// False where it would cost too much.
  bool plan(Replay& replay) {
    if (!map_.is_affordable(events_)) return false;
    replay_ = &replay;
    store_directly(events_, unit_of_core_.size());
    loads_ = bound_loads(program_, events_, map_, unit_of_core_.size());
    readers_.resize(map_.pieces());
    const std::vector<Round> rounds = rounds_of(events_);
    replay.alone_ = too_short_to_share(rounds);
    for (const Round& round : rounds) {
      replay.rounds_.push_back(replay.units_.size());
      add(round);
    }
    replay.rounds_.push_back(replay.units_.size());
    replay.states_ = std::vector<std::atomic<uint32_t>>(replay.units_.size());
    return true;
  }

 private:
  static constexpr uint32_t none = UINT32_MAX;

  /// Cuts a round into units of whole cores, each long enough to be worth taking.
  void add(const Round& round) {
    const double least = replay_->alone_ ? round.nanoseconds : 5e3;
    double nanoseconds = 0;
    begin_unit();
    for (size_t e = round.begin; e < round.end; ++e) {
      if (e > round.begin && events_[e].core != events_[e - 1].core && nanoseconds >= least) {
        end_unit();
        begin_unit();
        nanoseconds = 0;
      }
      nanoseconds += nanoseconds_of(events_[e]);
      add(static_cast<uint32_t>(e));
    }
    end_unit();
  }

  void begin_unit() {
    replay_->units_.push_back({replay_->steps_.size(), 0, {}});
    needs_.clear();
    done_ = 0;
  }

  /// Leaves out needs that others imply.
  void end_unit() {
    Unit& unit = replay_->units_.back();
    unit.end = replay_->steps_.size();
    std::sort(needs_.begin(), needs_.end());
    needs_.erase(std::unique(needs_.begin(), needs_.end()), needs_.end());
    for (const uint32_t need : needs_)
      if (need >= done_) unit.needs.push_back(need);
    for (const uint32_t need : unit.needs)
      if (need == done_) ++done_;
    known_.push_back(done_);
  }

  [[nodiscard]] uint32_t unit() const { return static_cast<uint32_t>(replay_->units_.size() - 1); }

  void need(uint32_t other) {
    if (other == none || other == unit() || other < done_) return;
    needs_.push_back(other);
    done_ = std::max(done_, known_[other]);
  }

  void add(uint32_t e) {
    Event& event = events_[e];
    unit_of_.push_back(unit());
    need(std::exchange(unit_of_core_[event.core], unit()));
    for (const uint32_t giver : event.after) need(unit_of_[giver]);
    const auto first = next_read_;
    while (next_read_ < loads_.reads.size() && loads_.reads[next_read_].event == e) ++next_read_;
    if (event.boxes.empty() || loads_.bound[e]) return;
    const std::span<const BoundRead> reads(loads_.reads.data() + first, next_read_ - first);
    keep_readers(event, reads);
    add_step(event, reads);
  }

  /// Who reads a bound load's source is done before who writes it next. Units between the last that both read a piece
  /// may have read it too.
  void keep_readers(const Event& event, std::span<const BoundRead> reads) {
    for (const BoundRead& read : reads) {
      if (!loads_.bound[read.load]) continue;
      const auto [first, end] = map_.pieces_of(events_[read.load].boxes[1]);
      for (size_t p = first; p < end; ++p) readers_[p].add(unit());
    }
    for_memory_written(event, [&](const isa::Box& box) {
      const auto [first, end] = map_.pieces_of(box);
      Readers all;
      for (size_t p = first; p < end; ++p) all.join(readers_[p]);
      for (uint32_t u = std::max(all.first, done_); u < all.end && u < unit(); ++u) need(u);
    });
  }

  void add_step(Event& event, std::span<const BoundRead> reads) {
    Step& step = replay_->steps_.emplace_back(
        kernel_of(event.in->op, false),
        Call{program_, *event.in, event.index, options_, {}, memory_.accumulators(event.core)});
    step.own = std::move(event.own);
    step.boxes = event.boxes;
    if (is_matrix(event.in->op)) step.found.resize(replay_->lanes_.size());
    for (size_t i = 0; i < step.boxes.size(); ++i) {
      if (event.in->operands[i] == isa::no_view) continue;
      isa::Box& box = step.boxes[i];
      Operand& operand = step.call.operands[i];
      operand.box = &box;
      if (box.space != isa::Space::scratchpad)
        place(operand, box, 0);
      else
        operand.data = memory_.scratchpad(event.core) + box.offset;
    }
    for (const BoundRead& read : reads) {
      if (!loads_.bound[read.load]) continue;
      place(step.call.operands[read.operand], events_[read.load].boxes[1], read.shift);
      if (read.strided) step.boxes[read.operand].strides = read.strides;
    }
    replay_->counts_.macs += macs_of(step.call);
  }

  void place(Operand& operand, const isa::Box& box, int64_t shift) {
    operand.data = memory_.at(box) + shift;
    operand.constant = memory_.is_weight(box);
    const isa::RegionKind kind = program_.regions[box.region].kind;
    if (kind == isa::RegionKind::input || kind == isa::RegionKind::output)
      replay_->moving_.push_back({&operand, box.region, memory_.base(box.region)});
  }

  /// All units that read something lie between.
  struct Readers {
    uint32_t first = none, end = 0;
    void add(uint32_t unit) { join({unit, unit + 1}); }
    void join(const Readers& other) {
      first = std::min(first, other.first);
      end = std::max(end, other.end);
    }
  };

  const isa::Program& program_;
  const ValueOptions& options_;
  Memory& memory_;
  std::vector<Event>& events_;
  MemoryMap map_;
  BoundLoads loads_;
  size_t next_read_ = 0;
  Replay* replay_ = nullptr;
  std::vector<uint32_t> unit_of_;       ///< Of each event.
  std::vector<uint32_t> unit_of_core_;  ///< Of each core's last event.
  std::vector<uint32_t> needs_;         ///< Of the unit that is being made.
  uint32_t done_ = 0;                   ///< Units before are done when those are.
  std::vector<uint32_t> known_;         ///< Of each unit: all before are done when it begins.
  std::vector<Readers> readers_;        ///< Of each piece of memory, through bound loads.
};

std::unique_ptr<Replay> Replay::of(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores,
                                   std::vector<std::unique_ptr<Worker>>& workers) {
  std::optional<Events> events = events_of(walk, cores, options.instruction_budget);
  if (!events) return nullptr;
  std::unique_ptr<Replay> replay(new Replay(workers));
  if (!Planner(walk, options, memory, cores, *events).plan(*replay)) return nullptr;
  replay->counts_.executed = std::move(events->counts.executed);
  return replay;
}

}  // namespace hadal::machine
