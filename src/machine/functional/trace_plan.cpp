// Which thread does what: the events of all cores, in their order, spread over the threads.
#include <algorithm>

#include "machine/functional/bound_loads.h"
#include "machine/functional/trace.h"

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
  if (event.in->op == Opcode::matmul)
    depth = static_cast<double>(event.boxes[1].elements()) / static_cast<double>(event.boxes[0].extents[1]);
  return 150 + elements / 8 + elements * depth / 40;
}

/// A round over the cores: each executes until it must wait for another.
struct Round {
  size_t begin = 0, end = 0;
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
  constexpr double least = 15e3;  // nanoseconds
  double total = 0;
  for (const Round& round : rounds) total += round.nanoseconds;
  return total < least * static_cast<double>(rounds.size());
}

/// The thread of each event. In each round, every thread has neighbouring cores and an equal share of the work:
/// neighbours read much of the same memory.
std::vector<uint32_t> threads_of(const std::vector<Event>& events, size_t threads) {
  std::vector<uint32_t> result(events.size(), 0);
  const std::vector<Round> rounds = rounds_of(events);
  if (too_short_to_share(rounds)) return result;
  for (const Round& round : rounds) {
    double before = 0;
    for (size_t first = round.begin, next = first; first < round.end; first = next) {
      double own = 0;
      while (next < round.end && events[next].core == events[first].core) own += nanoseconds_of(events[next++]);
      const double share = (before + own / 2) / round.nanoseconds * static_cast<double>(threads);
      const auto thread = std::min(static_cast<uint32_t>(share), static_cast<uint32_t>(threads - 1));
      std::fill_n(result.begin() + static_cast<std::ptrdiff_t>(first), next - first, thread);
      before += own;
    }
  }
  return result;
}

}  // namespace

class Planner {
 public:
  Planner(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores,
          const std::vector<std::unique_ptr<Worker>>& workers, Events& events)
      : program_(walk.program()),
        options_(options),
        memory_(memory),
        workers_(workers),
        events_(events.list),
        map_(program_),
        cores_(cores),
        known_(workers.size(), std::vector<uint32_t>(workers.size(), 0)) {}

  /// False where it would cost too much.
  bool plan(Trace& trace) {
    if (!map_.is_affordable(events_)) return false;
    trace_ = &trace;
    for (size_t i = 0; i < workers_.size(); ++i) trace.lanes_.push_back(std::make_unique<Lane>());
    const BoundLoads loads = bound_loads(program_, events_, map_, cores_.size());
    readers_.resize(map_.pieces() * workers_.size(), 0);
    places_.resize(events_.size());
    threads_ = threads_of(events_, workers_.size());
    auto reads = loads.reads.begin();
    for (uint32_t e = 0; e < events_.size(); ++e) {
      auto end = reads;
      while (end != loads.reads.end() && end->event == e) ++end;
      add(e, loads, {reads, end});
      reads = end;
    }
    trace.alone_ =
        std::all_of(trace.lanes_.begin() + 1, trace.lanes_.end(), [](const auto& l) { return l->steps.empty(); });
    return true;
  }

 private:
  struct Place {
    uint32_t thread = 0, steps = 0;  ///< The event is over when the thread has done so many steps.
  };

  void add(uint32_t e, const BoundLoads& loads, std::span<const BoundRead> reads) {
    Event& event = events_[e];
    const uint32_t thread = threads_[e];
    std::vector<Step::Need> needs = needs_of(event, thread);
    Lane& lane = *trace_->lanes_[thread];
    const bool works = !event.boxes.empty() && !loads.bound[e];
    if (works || !needs.empty()) {
      Step& step = lane.steps.emplace_back();
      step.needs = std::move(needs);
      if (works) fill(step, event, thread, loads, reads);
    }
    const auto steps = static_cast<uint32_t>(lane.steps.size());
    places_[e] = cores_[event.core] = {thread, steps};
    for (const BoundRead& read : reads) {
      if (!loads.bound[read.load]) continue;
      const auto [first, end] = map_.pieces_of(events_[read.load].boxes[1]);
      for (size_t p = first; p < end; ++p) readers_[p * workers_.size() + thread] = steps;
    }
  }

  /// What the thread does not know yet to be done.
  std::vector<Step::Need> needs_of(const Event& event, uint32_t thread) {
    std::vector<uint32_t> wanted = known_[thread];
    const auto want = [&](uint32_t other, uint32_t steps) { wanted[other] = std::max(wanted[other], steps); };
    want(cores_[event.core].thread, cores_[event.core].steps);
    for (const uint32_t giver : event.after) want(places_[giver].thread, places_[giver].steps);
    if (!event.boxes.empty() && event.in->operands[0] != isa::no_view &&
        event.boxes[0].space != isa::Space::scratchpad) {
      const auto [first, end] = map_.pieces_of(event.boxes[0]);
      for (size_t p = first; p < end; ++p)
        for (uint32_t t = 0; t < wanted.size(); ++t) want(t, readers_[p * wanted.size() + t]);
    }
    std::vector<Step::Need> needs;
    for (uint32_t t = 0; t < wanted.size(); ++t) {
      if (t == thread || wanted[t] == known_[thread][t]) continue;
      needs.push_back({t, wanted[t]});
      known_[thread][t] = wanted[t];
      trace_->lanes_[t]->steps[wanted[t] - 1].awaited = true;
    }
    return needs;
  }

  void fill(Step& step, Event& event, uint32_t thread, const BoundLoads& loads, std::span<const BoundRead> reads) {
    step.own = std::move(event.own);
    step.boxes = event.boxes;
    step.kernel = kernel_of(event.in->op, false);
    Call& call = step.call.emplace(Call{program_,
                                        *event.in,
                                        event.index,
                                        options_,
                                        {},
                                        memory_.accumulators(event.core),
                                        *workers_[thread],
                                        &step.found});
    for (size_t i = 0; i < step.boxes.size(); ++i) {
      if (event.in->operands[i] == isa::no_view) continue;
      isa::Box& box = step.boxes[i];
      Operand& operand = call.operands[i];
      if (box.space != isa::Space::scratchpad)
        place(operand, box, 0);
      else
        operand.data = memory_.scratchpad(event.core) + box.offset;
      operand.box = &box;
    }
    for (const BoundRead& read : reads) {
      if (!loads.bound[read.load]) continue;
      place(call.operands[read.operand], events_[read.load].boxes[1], read.shift);
      if (read.strided) step.boxes[read.operand].strides = read.strides;
    }
    trace_->counts_.macs += macs_of(call);
  }

  void place(Operand& operand, const isa::Box& box, int64_t shift) {
    operand.data = memory_.at(box) + shift;
    operand.constant = memory_.is_weight(box);
    const isa::RegionKind kind = program_.regions[box.region].kind;
    if (kind == isa::RegionKind::input || kind == isa::RegionKind::output)
      trace_->moving_.push_back({&operand, box.region, memory_.base(box.region)});
  }

  const isa::Program& program_;
  const ValueOptions& options_;
  Memory& memory_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::vector<Event>& events_;
  MemoryMap map_;
  Trace* trace_ = nullptr;
  std::vector<Place> places_;                 ///< Of each event.
  std::vector<Place> cores_;                  ///< Of each core's last event.
  std::vector<uint32_t> threads_;             ///< Of each event.
  std::vector<std::vector<uint32_t>> known_;  ///< Of each thread: steps of others that it has waited for.
  std::vector<uint32_t> readers_;             ///< By piece and thread: steps until bound loads have been read.
};

std::unique_ptr<Trace> Trace::of(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores,
                                 const std::vector<std::unique_ptr<Worker>>& workers) {
  std::optional<Events> events = events_of(walk, cores, options.instruction_budget);
  if (!events) return nullptr;
  auto trace = std::make_unique<Trace>();
  if (!Planner(walk, options, memory, cores, workers, *events).plan(*trace)) return nullptr;
  trace->counts_.executed = std::move(events->counts.executed);
  return trace;
}

}  // namespace hadal::machine
