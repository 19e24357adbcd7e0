#include "machine/timing/path.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <utility>

#include "machine/timing/network.h"

namespace hadal::machine {

std::string_view name_of(Spent spent) {
  static constexpr std::array<std::string_view, spent_count> names{
      "launch", "issue", "signals", "matrix", "vector", "host", "load", "prefetch", "store", "on-chip transfer"};
  return names[static_cast<size_t>(spent)];
}

namespace {

constexpr size_t none = Release::none;

Spent kind_of(const Slice& slice) {
  if (slice.on_chip) return Spent::on_chip;
  switch (slice.queue) {
    case isa::Queue::matrix:
      return Spent::matrix;
    case isa::Queue::vector:
      return Spent::vector;
    case isa::Queue::load:
      return Spent::load;
    case isa::Queue::prefetch:
      return Spent::prefetch;
    case isa::Queue::store:
      return Spent::store;
    case isa::Queue::host:
      return Spent::host;
    default:
      return Spent::issue;
  }
}

/// Slices of each core in the order of issue, and of each of its queues.
class Orders {
 public:
  Orders(const std::vector<Slice>& slices, size_t cores)
      : cores_(cores), queues_(cores * isa::queue_count), place_(slices.size()) {
    std::vector<size_t> all(slices.size());
    std::iota(all.begin(), all.end(), size_t{0});
    std::sort(all.begin(), all.end(), [&](size_t a, size_t b) { return slices[a].order < slices[b].order; });
    for (const size_t s : all) {
      const size_t core = slices[s].core;
      auto& queue = queues_[core * isa::queue_count + static_cast<size_t>(slices[s].queue)];
      place_[s] = {cores_[core].size(), queue.size(), &queue};
      cores_[core].push_back(s);
      queue.push_back(s);
    }
  }
  /// `back` before it in its queue, or in its core; none where it is one of the first.
  [[nodiscard]] size_t in_queue(size_t s, size_t back) const {
    const Place& place = place_[s];
    return place.in_queue < back ? none : (*place.queue)[place.in_queue - back];
  }
  [[nodiscard]] size_t issued_before(size_t s, uint32_t core) const {
    return place_[s].in_core == 0 ? none : cores_[core][place_[s].in_core - 1];
  }

 private:
  struct Place {
    size_t in_core = 0, in_queue = 0;
    const std::vector<size_t>* queue = nullptr;
  };
  std::vector<std::vector<size_t>> cores_, queues_;
  std::vector<Place> place_;
};

/// Where the walk stands: at the end of a slice, at its begin, or where it was issued.
struct Point {
  enum class Of : uint8_t { end, begin, issue } of = Of::end;
  size_t slice = none;
};

class Walk {
 public:
  Walk(const isa::Program& program, const chip::Chip& chip, const std::vector<Slice>& slices,
       const std::vector<Release>& releases);
  std::vector<Stretch> from_end(const Timing& timing);

 private:
  void charge(Spent spent, size_t s, int64_t from);
  Point from_end_of(size_t s);
  Point from_begin_of(size_t s);
  Point from_issue_of(size_t s);
  [[nodiscard]] size_t last_to_meet(size_t s) const {
    return slices_[s].meeting == 0 ? s : last_to_meet_[slices_[s].meeting];
  }

  const isa::Program& program_;
  const std::vector<Slice>& slices_;
  const std::vector<Release>& releases_;
  Orders orders_;
  size_t depth_;
  int64_t dma_issue_;
  std::vector<size_t> last_to_meet_;  ///< By meeting.
  int64_t at_ = 0;                    ///< How far the walk has come.
  std::vector<Stretch> out_;          ///< The last one first.
};

Walk::Walk(const isa::Program& program, const chip::Chip& chip, const std::vector<Slice>& slices,
           const std::vector<Release>& releases)
    : program_(program),
      slices_(slices),
      releases_(releases),
      orders_(slices, static_cast<size_t>(chip.cores)),
      depth_(static_cast<size_t>(chip.sequencer.queue_depth)),
      dma_issue_(chip.dma.issue_cycles) {
  for (size_t s = 0; s < slices.size(); ++s) {
    const uint32_t meeting = slices[s].meeting;
    if (meeting == 0) continue;
    if (meeting >= last_to_meet_.size()) last_to_meet_.resize(meeting + 1, none);
    size_t& last = last_to_meet_[meeting];
    if (last == none || slices[s].asked > slices[last].asked) last = s;
  }
}

/// What lies between `from` and where the walk stands. Neighbours of one instruction are one stretch.
void Walk::charge(Spent spent, size_t s, int64_t from) {
  if (from >= at_) return;
  const uint32_t instruction = slices_[s].instruction, layer = program_.source[instruction];
  if (!out_.empty() && out_.back().spent == spent && out_.back().instruction == instruction)
    out_.back().begin = from;
  else
    out_.push_back({spent, layer, instruction, from, at_});
  at_ = from;
}

/// An instruction's own time ends where the one before it in its queue ended, if that is what it waited for.
Point Walk::from_end_of(size_t s) {
  const Slice& slice = slices_[s];
  const size_t before = orders_.in_queue(s, 1);
  if (before != none && slice.end == at_ && slices_[before].end >= at_) return {Point::Of::end, before};
  const bool was_asked_late = isa::is_dma(slice.queue) && slice.asked > slice.begin + dma_issue_;
  const bool ran_behind = before != none && slices_[before].end > slice.begin;
  if (const size_t last = last_to_meet(s); last != s) {
    charge(kind_of(slice), s, slices_[last].asked);
    return {Point::Of::end, last};
  }
  if (ran_behind && (was_asked_late || slice.begin == slice.waited_from)) {
    charge(kind_of(slice), s, slices_[before].end);
    return {Point::Of::end, before};
  }
  charge(kind_of(slice), s, slice.begin);
  return {Point::Of::begin, s};
}

Point Walk::from_begin_of(size_t s) {
  const Slice& slice = slices_[s];
  if (const size_t cause = releases_[s].slice; slice.begin > slice.waited_from && cause != none) {
    charge(Spent::signal, s, slices_[cause].end);
    return {Point::Of::end, cause};
  }
  const size_t before = orders_.in_queue(s, 1);
  if (slice.issued >= slice.begin || before == none) return {Point::Of::issue, s};
  charge(kind_of(slice), s, slices_[before].end);
  return {Point::Of::end, before};
}

/// A sequencer issues in order, and stops where a queue is full until one of its instructions begins.
Point Walk::from_issue_of(size_t s) {
  const Slice& slice = slices_[s];
  charge(Spent::issue, s, slice.issued);
  if (const size_t first = orders_.in_queue(s, depth_); slice.issued > slice.held_from && first != none) {
    charge(Spent::issue, s, slices_[first].begin);
    return {Point::Of::begin, first};
  }
  const size_t before = orders_.issued_before(s, slice.core);
  if (before == none) return {Point::Of::issue, none};
  charge(Spent::issue, s, slices_[before].issued);
  return {Point::Of::issue, before};
}

std::vector<Stretch> Walk::from_end(const Timing& timing) {
  if (slices_.empty()) return {{.end = timing.cycles}};  // A launch alone.
  at_ = timing.cycles;
  size_t last = none, first = 0;
  for (size_t s = 0; s < slices_.size(); ++s)
    if (last == none || slices_[s].end > slices_[last].end) last = s;
  Point point{Point::Of::end, last};
  // Each cause lies before its effect; the bound holds where whole cycles blur which of two came first.
  for (size_t steps = 0; point.slice != none && at_ > timing.launch_cycles && steps < 8 * slices_.size(); ++steps) {
    first = point.slice;
    switch (point.of) {
      case Point::Of::end:
        point = from_end_of(point.slice);
        break;
      case Point::Of::begin:
        point = from_begin_of(point.slice);
        break;
      case Point::Of::issue:
        point = from_issue_of(point.slice);
        break;
    }
  }
  charge(Spent::issue, first, timing.launch_cycles);
  charge(Spent::launch, first, 0);
  std::ranges::reverse(out_);
  return std::move(out_);
}

/// What comes to one semaphore of one core, and when.
struct Arrival {
  int64_t at = 0;
  int32_t count = 0;
  size_t slice = none;
};
using Arrivals = std::map<std::pair<uint32_t, uint16_t>, std::vector<Arrival>>;

Arrivals arrivals_of(const isa::Program& program, const chip::Chip& chip, const std::vector<Slice>& slices) {
  const timing::Network network(chip);
  const timing::Cycles clock{chip.clock.hertz};
  Arrivals arrivals;
  for (size_t s = 0; s < slices.size(); ++s) {
    const int64_t visible = slices[s].end + chip.sequencer.signal_latency_cycles;
    for (const isa::Sync& signal : program.code[slices[s].instruction].signals) {
      if (signal.count == 0) continue;
      const uint32_t from = signal.everywhere ? 0 : slices[s].core;
      const auto to = signal.everywhere ? static_cast<uint32_t>(chip.cores) : from + 1;
      for (uint32_t core = from; core < to; ++core) {
        const int64_t distance = signal.everywhere ? clock.until(network.distance(slices[s].core, core)) : 0;
        arrivals[{core, signal.id}].push_back({visible + distance, signal.count, s});
      }
    }
  }
  for (auto& [semaphore, list] : arrivals) std::ranges::stable_sort(list, {}, &Arrival::at);
  return arrivals;
}

}  // namespace

std::vector<Release> releases_of(const isa::Program& program, const chip::Chip& chip,
                                 const std::vector<Slice>& slices) {
  const Arrivals arrivals = arrivals_of(program, chip, slices);
  struct Taken {
    size_t next = 0;    ///< Arrival.
    int64_t count = 0;  ///< That came before it, less what was taken.
  };
  std::map<std::pair<uint32_t, uint16_t>, Taken> taken;
  std::vector<size_t> by_begin(slices.size());
  std::iota(by_begin.begin(), by_begin.end(), size_t{0});
  std::ranges::stable_sort(by_begin, {}, [&](size_t s) { return slices[s].begin; });
  std::vector<Release> releases(slices.size());
  for (const size_t s : by_begin)
    for (const isa::Sync& wait : program.code[slices[s].instruction].waits) {
      if (wait.count == 0) continue;
      const std::pair semaphore{slices[s].core, static_cast<uint16_t>(wait.id)};
      const auto list = arrivals.find(semaphore);
      const auto [state, is_new] = taken.try_emplace(semaphore);
      if (is_new) state->second.count = program.semaphores[wait.id].initial;
      Taken& own = state->second;
      for (; own.count < wait.count && list != arrivals.end() && own.next < list->second.size(); ++own.next) {
        const Arrival& arrival = list->second[own.next];
        own.count += arrival.count;
        if (arrival.at > releases[s].at) releases[s] = {arrival.slice, semaphore.second, arrival.at};
      }
      own.count -= wait.count;
    }
  return releases;
}

std::vector<Stretch> critical_path(const isa::Program& program, const chip::Chip& chip, const Timing& timing,
                                   const std::vector<Slice>& slices, const std::vector<Release>& releases) {
  return Walk(program, chip, slices, releases).from_end(timing);
}

}  // namespace hadal::machine
