#include "machine/timing/steady.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hadal::machine::timing {

namespace {

constexpr int64_t fewest_periods = 4, most_periods = 16;
constexpr double shortest = static_cast<double>(ticks_per_cycle << 20);
constexpr double standard_error = 0.002, difference = 0.005;

double mean_of(const double* from, size_t count) {
  return std::accumulate(from, from + count, 0.0) / static_cast<double>(count);
}

/// Whether their mean is known well enough, and the earlier ones were no different.
bool is_steady(const std::vector<double>& durations) {
  const auto count = static_cast<double>(durations.size());
  const double mean = mean_of(durations.data(), durations.size());
  if (mean * count < shortest) return false;
  double squares = 0;
  for (const double duration : durations) squares += (duration - mean) * (duration - mean);
  if (std::sqrt(squares / (count - 1) / count) > standard_error * mean) return false;
  const size_t half = durations.size() / 2;
  const double late = mean_of(durations.data(), half),
               early = mean_of(durations.data() + half, durations.size() - half);
  return std::abs(late - early) <= difference * mean;
}

}  // namespace

/// The last periods of a loop, on the cores that are in it.
struct Sample {
  std::vector<uint32_t> cores{};
  std::vector<const Trips*> members{};
  int64_t end = 0, stride = 1;  ///< Trips: where the last period ends, and how many are in each.

  [[nodiscard]] const Mark& mark(const Trips& trips, int64_t back) const { return trips.at(end - back * stride); }
  /// Calls `visit` with the time of the queues of all cores between two marks.
  template <class Visit>
  void each(int64_t from, int64_t to, Visit visit) const {
    for (const Trips* trips : members) {
      const Mark &first = mark(*trips, from), &last = mark(*trips, to);
      for (size_t queue = 0; queue < isa::queue_count; ++queue)
        if (first.issued[queue] != last.issued[queue]) visit(static_cast<double>(last.ends[queue] - first.ends[queue]));
    }
  }
  /// The mean over the queues.
  [[nodiscard]] double duration(int64_t from, int64_t to) const {
    double sum = 0, count = 0;
    each(from, to, [&](double time) {
      sum += time;
      ++count;
    });
    return sum / count;
  }
  /// Whether every core issued the same as in the last period.
  [[nodiscard]] bool repeats(int64_t from) const {
    const auto issued = [&](const Trips& trips, int64_t back) {
      return mark(trips, back - 1).signature - mark(trips, back).signature;
    };
    return std::ranges::all_of(members, [&](const Trips* t) { return issued(*t, from) == issued(*t, 1); });
  }
  /// What a core did in the last period.
  [[nodiscard]] Mark last(const Trips& trips) const {
    const Mark &from = mark(trips, 1), &to = mark(trips, 0);
    Mark all{.signature = to.signature - from.signature, .order = to.order - from.order};
    for (size_t queue = 0; queue < isa::queue_count; ++queue) all.issued[queue] = to.issued[queue] - from.issued[queue];
    return all;
  }
  /// When the first of its queues was at the start of all.
  [[nodiscard]] Time since(const Trips& trips, int64_t periods) const {
    Time since = never;
    const Mark all = last(trips);
    for (size_t queue = 0; queue < isa::queue_count; ++queue)
      if (all.issued[queue] > 0) since = std::min(since, mark(trips, periods).ends[queue]);
    return since;
  }
  /// Whether no queue is faster or slower than the others.
  [[nodiscard]] bool is_in_step(int64_t periods) const {
    const double mean = duration(periods, 0);
    bool is_so = true;
    each(periods, 0, [&](double time) { is_so &= std::abs(time - mean) <= difference * mean; });
    return is_so;
  }
};

namespace {

struct Steadiness {
  int64_t periods = 0;
  double mean = 0;  ///< Ticks.
};

/// Whether some of the last periods, of `most`, show a steady state.
std::optional<Steadiness> steadiness_of(const Sample& sample, int64_t most) {
  std::vector<double> durations;
  for (int64_t periods = 1; periods <= most && sample.repeats(periods); ++periods) {
    durations.push_back(sample.duration(periods, periods - 1));
    if (periods < fewest_periods || !is_steady(durations) || !sample.is_in_step(periods)) continue;
    return Steadiness{periods, mean_of(durations.data(), durations.size())};
  }
  return std::nullopt;
}

}  // namespace

bool Trips::next(int64_t left) {
  trip_ += left_ - left;
  left_ = left;
  return trip_ % stride_ == 0;
}

void Trips::keep(const Mark& mark) {
  if (trip_ / stride_ != static_cast<int64_t>(marks_.size())) return close();  // Some trip had nothing in it.
  if (marks_.size() == most) {
    for (size_t i = 0; 2 * i < most; ++i) marks_[i] = marks_[2 * i];
    marks_.resize(most / 2);
    for (uint32_t& known : known_) known = (known + 1) / 2;
    stride_ *= 2;
  }
  marks_.push_back(mark);
}

int64_t Trips::known() const {
  if (marks_.empty()) return -1;
  auto least = static_cast<uint32_t>(marks_.size());
  for (size_t queue = 0; queue < isa::queue_count; ++queue)
    if (uses(queue)) least = std::min(least, known_[queue]);
  return (int64_t{least} - 1) * stride_;
}

Steady::Steady(const isa::Walk& walk, size_t cores)
    : signatures_(signatures_of(walk.program())),
      repeats_(repeats_of(walk, signatures_, fewest_trips)),
      cores_(cores) {}

const Repeat* Steady::repeat_at(size_t instruction) const {
  const auto after = std::ranges::upper_bound(repeats_, instruction, {}, &Repeat::first);
  if (after == repeats_.begin()) return nullptr;
  const Repeat& repeat = *std::prev(after);
  return instruction < repeat.end() ? &repeat : nullptr;
}

/// Whether the loops inside this one have begun anew.
bool Steady::arrived_at(Core& core, size_t level, uint32_t loop, int64_t left, bool is_new, unsigned& kept) {
  Trips& trips = core.levels[level];
  if (is_new || trips.loop() != loop || left > trips.left()) {
    trips.open(loop, left);
    trips.keep(core.now);
    return true;
  }
  if (left == trips.left()) return false;
  if (trips.next(left)) {
    trips.keep(core.now);
    kept |= 1u << level;
  }
  return true;
}

unsigned Steady::arrived(uint32_t number, const isa::Sequencer& sequencer) {
  Core& core = cores_[number];
  unsigned kept = 0;
  bool is_new = false;
  if (const Repeat* repeat = repeat_at(sequencer.index())) {
    const auto trip = static_cast<int64_t>((sequencer.index() - repeat->first) / repeat->length);
    is_new =
        arrived_at(core, 0, static_cast<uint32_t>(repeat - repeats_.data()), repeat->count - 1 - trip, false, kept);
  } else if (core.levels[0].loop() != Trips::none) {
    core.levels[0].close();
    is_new = true;
  }
  size_t depth = 1;
  for (const isa::Sequencer::Frame& frame : sequencer.loops())
    is_new = arrived_at(core, depth++, frame.body, frame.left - 1, is_new, kept);
  for (size_t level = depth; level < core.depth; ++level) core.levels[level].close();
  core.depth = depth;
  return kept;
}

void Steady::issued(uint32_t core, uint8_t queue, uint64_t signature) {
  Mark& now = cores_[core].now;
  now.signature += signature;
  ++now.issued[queue];
  ++now.order;
}

void Steady::ended(uint32_t core, uint8_t queue, uint32_t order, Time end, uint64_t hop_bytes) {
  Core& state = cores_[core];
  for (size_t level = 0; level < state.depth; ++level)
    if (state.levels[level].loop() != Trips::none) state.levels[level].ended(queue, order, end, hop_bytes);
}

std::optional<Period> Steady::find(uint32_t lead, size_t level) const {
  const uint32_t loop = cores_[lead].levels[level].loop();
  Sample sample;
  int64_t stride = 1, known = INT64_MAX;
  for (uint32_t core = 0; core < cores_.size(); ++core) {
    const Trips& trips = cores_[core].levels[level];
    if (level >= cores_[core].depth || trips.loop() != loop) continue;
    sample.cores.push_back(core);
    sample.members.push_back(&trips);
    stride = std::max(stride, trips.stride());
    known = std::min(known, trips.known());
  }
  if (known < stride) return std::nullopt;
  sample.end = known / stride * stride;
  const int64_t marks = sample.end / stride - 1;  // The first trip is like no other.
  sample.stride = stride * marks;
  if (marks < fewest_periods || sample.duration(1, 0) < shortest) return std::nullopt;
  for (int64_t each = 1; each * fewest_periods <= marks; ++each) {  // Trips may differ in turn.
    sample.stride = stride * each;
    const auto found = steadiness_of(sample, std::min(most_periods, marks / each));
    if (found) return period_of(sample, level, found->periods, found->mean);
  }
  return std::nullopt;
}

Period Steady::period_of(const Sample& sample, size_t level, int64_t periods, double mean) const {
  Period period{.level = level, .trips = sample.stride, .time = mean};
  if (level == 0) period.code = repeats_[sample.members[0]->loop()].length * static_cast<uint32_t>(sample.stride);
  for (size_t i = 0; i < sample.members.size(); ++i) {
    const Trips& trips = *sample.members[i];
    period.parts.push_back({sample.cores[i], sample.mark(trips, 0).order, sample.last(trips)});
    period.since = std::min(period.since, sample.since(trips, periods));
  }
  const auto sent = [&](int64_t back) { return sample.mark(*sample.members[0], back).hop_bytes; };
  period.hop_bytes = (sent(0) - sent(periods)) / static_cast<uint64_t>(periods);
  return period;
}

void Steady::skipped(const Period& period, int64_t periods) {
  const auto times = static_cast<uint32_t>(periods);
  for (const Period::Part& part : period.parts) {
    Core& core = cores_[part.core];
    core.now.signature += part.all.signature * times;
    core.now.order += part.all.order * times;
    for (size_t queue = 0; queue < isa::queue_count; ++queue) core.now.issued[queue] += part.all.issued[queue] * times;
    for (size_t level = period.level; level < core.depth; ++level) core.levels[level].close();
  }
}

}  // namespace hadal::machine::timing
