#include "machine/check/order.h"

#include <algorithm>

#include "isa/sharing.h"

namespace hadal::machine::check {

namespace {

void raise(Entries& entries, const Entries& to) {
  for (size_t i = 0; i < entries.size(); ++i) entries[i] = std::max(entries[i], to[i]);
}

}  // namespace

Order::Order(const isa::Program& program, size_t cores, const Trace& trace)
    : program_(program), trace_(trace), cores_(cores), table_(cores), clocks_(trace.steps.size()) {
  collect();
  solve(true);
  if (is_solved()) return;
  while (solve(false)) {
  }
}

bool Order::before(uint32_t a, uint32_t b) const {
  const Step &first = trace_.steps[a], &second = trace_.steps[b];
  const size_t engine = engine_of(program_.code[first.instruction]);
  const Clock& clock = clocks_[b];
  if (first.core != second.core) return table_.entries(clock.all)[first.core * engines + engine] >= first.position;
  return engine == engine_of(program_.code[second.instruction]) || clock.own[engine] >= first.position;
}

/// The signals of the trace, by where they go.
void Order::collect() {
  lists_.assign(program_.semaphores.size(), {});
  everywhere_.assign(program_.semaphores.size(), true);
  for (const isa::Instruction& in : program_.code)
    for (const isa::Sync& signal : in.signals)
      if (signal.count > 0 && !signal.everywhere) everywhere_[signal.id] = false;
  for (size_t id = 0; id < lists_.size(); ++id) lists_[id].resize(everywhere_[id] ? 1 : cores_);
  const auto add = [&](List& list, const isa::Sync& sync) {
    const auto number = static_cast<uint32_t>(signals_.size() - 1);
    if (!list.signals.empty()) {
      const Signal &last = signals_[list.signals.back()], &present = signals_.back();
      list.one_core &= last.core == present.core;
      list.one_queue &= list.one_core && last.engine == present.engine;
    }
    list.total.push_back((list.total.empty() ? 0 : list.total.back()) + sync.count);
    list.signals.push_back(number);
  };
  for (uint32_t i = 0; i < trace_.steps.size(); ++i) {
    const Step& step = trace_.steps[i];
    const isa::Instruction& in = program_.code[step.instruction];
    if (in.signals[0].count + in.signals[1].count + in.signals[2].count == 0) continue;
    signals_.push_back({step.core, engine_of(in), i, {}, 0});
    for (const isa::Sync& sync : in.signals) {
      if (sync.count == 0) continue;
      if (!sync.everywhere)
        add(list_of(step.core, sync.id), sync);
      else
        for (List& list : lists_[sync.id]) add(list, sync);
    }
  }
}

/// One pass over the trace, with the clocks of signals as they are. Whether one changed.
bool Order::solve(bool first) {
  first_ = first;
  now_.assign(cores_, {});
  taken_.assign(cores_, {});
  met_.assign(cores_, {});
  bool changed = false;
  size_t signal = 0;
  given_ = first ? 0 : signals_.size();
  for (uint32_t i = 0; i < trace_.steps.size(); ++i) {
    const Step& step = trace_.steps[i];
    const isa::Instruction& in = program_.code[step.instruction];
    const size_t engine = engine_of(in);
    bool& met = met_[step.core][engine];
    if (!met && step.works && isa::sharing_of(in).is_shared()) meet(step, in);
    if (!met) take_waits(step.core, in);
    met = false;
    const Clock& now = clocks_[i] = now_[step.core][engine];
    if (signal == signals_.size() || signals_[signal].step != i) continue;
    Signal& given = signals_[signal++];
    Clock clock = now;
    clock.own[engine] = step.position;
    changed |= clock != given.clock;
    given.clock = clock;
    given.all = 0;
    if (first) given_ = signal;
  }
  return changed;
}

/// A group begins a shared load when the queues of all have come to it.
void Order::meet(const Step& step, const isa::Instruction& in) {
  const isa::Sharing sharing = isa::sharing_of(in);
  const size_t engine = engine_of(in);
  const int64_t first = sharing.first(step.core), members = sharing.members(first, static_cast<int64_t>(cores_));
  Entries entries(cores_ * engines, 0);
  for (int64_t m = 0; m < members; ++m) {
    const auto core = static_cast<size_t>(first + m * sharing.step);
    take_waits(core, in);
    met_[core][engine] = true;
    raise(entries, table_.spread(core, now_[core][engine]));
  }
  const uint32_t all = table_.number_of(entries);
  for (int64_t m = 0; m < members; ++m) {
    const auto core = static_cast<size_t>(first + m * sharing.step);
    table_.add(core, now_[core][engine], all);
  }
}

void Order::take_waits(size_t core, const isa::Instruction& in) {
  for (const isa::Sync& sync : in.waits) {
    if (sync.count == 0) continue;
    const int64_t taken = taken_[core][sync.id] += sync.count;
    wait(core, engine_of(in), sync.id, taken - program_.semaphores[sync.id].initial);
  }
}

/// A wait takes the count-th that signals gave.
void Order::wait(size_t core, size_t engine, uint8_t id, int64_t count) {
  List& list = list_of(core, id);
  if (count <= 0 || list.total.empty() || list.total.back() < count) return;  // The walk stops before the last.
  Clock& now = now_[core][engine];
  const auto last = static_cast<size_t>(std::ranges::lower_bound(list.total, count) - list.total.begin());
  Signal& signal = signals_[list.signals[last]];
  if (list.one_queue)
    return signal.core == core ? table_.add(now, signal.clock) : table_.add(core, now, all_of(signal));
  if (first_ && list.total[last] == count) return join_first(id, last + 1, core, now);
  exact_ = false;
  table_.add(core, now, smallest(list, count));
}

/// All of the first `count` signals: exact where those that follow know as much (`is_solved`).
void Order::join_first(uint8_t id, size_t count, size_t core, Clock& clock) {
  List& list = list_of(core, id);
  const bool own = list.one_core && signals_[list.signals[0]].core == core && lists_[id].size() == cores_;
  const bool known = !own && list.all_at.contains(count);
  if (!known && count < list.joined) {  // Another core took larger counts.
    exact_ = false;
    return table_.add(core, clock, smallest(list, list.total[count - 1]));
  }
  if (list.entries.empty() && !own) list.entries.assign(cores_ * engines, 0);
  for (; !known && list.joined < count; ++list.joined) {
    const Signal& signal = signals_[list.signals[list.joined]];
    if (own) {
      table_.add(list.own, signal.clock);
      continue;
    }
    raise(list.entries, table_.spread(signal.core, signal.clock));
  }
  if (own) {
    list.own_at.emplace_back(count, list.own);
    return table_.add(clock, list.own);
  }
  if (!known) list.all_at[count] = table_.number_of(list.entries);
  table_.add(core, clock, list.all_at[count]);
}

/// Entry by entry, the count-th of the signals in order of that entry. In the first pass those to come know more than
/// any before.
uint32_t Order::smallest(const List& list, int64_t count) {
  std::vector<uint32_t> rows;
  for (const uint32_t number : list.signals)
    if (number < given_) rows.push_back(all_of(signals_[number]));
  Entries out(cores_ * engines);
  std::vector<std::pair<uint32_t, int64_t>> values(rows.size());
  for (size_t entry = 0; entry < out.size(); ++entry) {
    for (size_t s = 0; s < rows.size(); ++s)
      values[s] = {table_.entries(rows[s])[entry], list.total[s] - (s == 0 ? 0 : list.total[s - 1])};
    std::ranges::sort(values);
    int64_t sum = 0;
    const auto at = std::ranges::find_if(values, [&](const auto& value) { return (sum += value.second) >= count; });
    out[entry] = at->first;
  }
  return table_.number_of(out);
}

uint32_t Order::all_of(Signal& signal) {
  if (signal.all == 0) signal.all = table_.number_of(table_.spread(signal.core, signal.clock));
  return signal.all;
}

/// Whether the first pass was exact: the signals after those that a wait took know as much as they do.
bool Order::is_solved() {
  if (!exact_) return false;
  for (auto& lists : lists_)
    for (const List& list : lists) {
      for (const auto& [count, clock] : list.own_at)
        if (!follow(list, count, &clock, 0)) return false;
      for (const auto& [count, all] : list.all_at)
        if (!follow(list, count, nullptr, all)) return false;
    }
  return true;
}

/// Whether each queue's first signal from number `from` knows what `own`, or `all`, knows.
bool Order::follow(const List& list, size_t from, const Clock* own, uint32_t all) {
  std::vector<bool> seen(cores_ * engines, false);
  size_t left = own != nullptr ? engines : cores_ * engines;
  for (size_t s = from; s < list.signals.size() && left > 0; ++s) {
    Signal& signal = signals_[list.signals[s]];
    if (seen[signal.core * engines + signal.engine]) continue;
    seen[signal.core * engines + signal.engine] = true;
    --left;
    if (own == nullptr ? !table_.covers(all_of(signal), all) : !table_.covers(signal.clock.all, own->all)) return false;
    for (size_t queue = 0; own != nullptr && queue < engines; ++queue)
      if (signal.clock.own[queue] < own->own[queue]) return false;
  }
  return true;
}

/// Before a wait takes its counts, all that does not need it may have come.
std::vector<Finding> Order::overflows(int64_t most) {
  std::vector<Finding> findings;
  const auto semaphores = static_cast<uint8_t>(lists_.size());
  for (uint8_t id = 0; id < semaphores; ++id)
    for (size_t core = 0; core < cores_ && findings.empty(); ++core) {
      const List& list = list_of(core, id);
      const int64_t initial = program_.semaphores[id].initial;
      if (list.total.empty() || list.total.back() + initial <= most) continue;
      overflow(list, core, id, most, findings);
    }
  return findings;
}

void Order::overflow(const List& list, size_t core, uint8_t id, int64_t most, std::vector<Finding>& findings) {
  const size_t entry = core * engines + static_cast<size_t>(program_.semaphores[id].waiter) - 1;
  std::vector<std::pair<uint32_t, int64_t>> values;  // How far the waiting queue must be, and what then comes.
  for (size_t s = 0; s < list.signals.size(); ++s)
    values.emplace_back(table_.spread(signals_[list.signals[s]].core, signals_[list.signals[s]].clock)[entry],
                        list.total[s] - (s == 0 ? 0 : list.total[s - 1]));
  std::ranges::sort(values);
  int64_t count = program_.semaphores[id].initial;
  size_t next = 0;
  for (const Step& step : trace_.steps) {
    const isa::Instruction& in = program_.code[step.instruction];
    if (step.core != core || in.queue != program_.semaphores[id].waiter) continue;
    for (const isa::Sync& wait : in.waits) {
      if (wait.count == 0 || wait.id != id) continue;
      for (; next < values.size() && values[next].first < step.position; ++next) count += values[next].second;
      if (count > most)
        return findings.push_back({"sync.R1",
                                   fmt::format("semaphore {} of core {} can reach {} before this wait; the most is {}",
                                               semaphore_name(program_, id), core, count, most),
                                   {{step.core, step.instruction}}});
      count -= wait.count;
    }
  }
}

}  // namespace hadal::machine::check
