#include "report/explanation.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace hadal::report {

namespace {

using machine::Slice;

/// The time that intervals cover; they come in the order of beginning.
class Cover {
 public:
  void add(int64_t begin, int64_t end) {
    const int64_t from = std::max(begin, until_);
    if (end <= from) return;
    total_ += end - from;
    until_ = end;
  }
  [[nodiscard]] int64_t total() const { return total_; }
  [[nodiscard]] int64_t until() const { return until_; }

 private:
  int64_t until_ = 0, total_ = 0;
};

struct QueueTime {
  std::map<uint32_t, Cover> busy;  ///< By core.
  std::map<std::string, int64_t> waits;
};

std::vector<QueueShare> queues_of(const runtime::Outcome& outcome, const std::vector<machine::Release>& releases) {
  std::map<isa::Queue, QueueTime> times;
  for (size_t s = 0; s < outcome.slices.size(); ++s) {
    const Slice& slice = outcome.slices[s];
    QueueTime& time = times[slice.queue];
    Cover& busy = time.busy[slice.core];
    const int64_t waited = slice.begin - std::max(slice.waited_from, busy.until());
    if (waited > 0 && releases[s].slice != machine::Release::none)
      time.waits[outcome.program.semaphores[releases[s].semaphore].name] += waited;
    busy.add(slice.begin, slice.end);
  }
  std::vector<QueueShare> queues;
  for (const auto& [queue, time] : times) {
    const double all =
        static_cast<double>(time.busy.size()) * static_cast<double>(std::max<int64_t>(1, outcome.timing->cycles));
    QueueShare share{.queue = queue};
    for (const auto& [core, busy] : time.busy) share.busy += static_cast<double>(busy.total()) / all;
    for (const auto& [semaphore, cycles] : time.waits) {
      share.waits.push_back({semaphore, static_cast<double>(cycles) / all});
      share.waiting += share.waits.back().share;
    }
    std::ranges::stable_sort(share.waits, std::greater{}, &QueueShare::Wait::share);
    queues.push_back(std::move(share));
  }
  return queues;
}

}  // namespace

Explanation explain(const runtime::Outcome& outcome, std::vector<runtime::Lever> levers) {
  chip::Chip chip = outcome.chip;
  chip.cores = runtime::cores_of(outcome.program, outcome.chip);
  const auto releases = machine::releases_of(outcome.program, chip, outcome.slices);
  Explanation out{.cycles = outcome.timing->cycles};
  out.layers.resize(outcome.program.layers.size());
  out.profile.resize(outcome.program.code.size());
  for (const machine::Stretch& stretch :
       machine::critical_path(outcome.program, chip, *outcome.timing, outcome.slices, releases)) {
    const int64_t cycles = stretch.end - stretch.begin;
    out.path[static_cast<size_t>(stretch.spent)] += cycles;
    if (stretch.layer < out.layers.size()) out.layers[stretch.layer][static_cast<size_t>(stretch.spent)] += cycles;
    out.profile[stretch.instruction].path += cycles;
  }
  for (const Slice& slice : outcome.slices) {
    Profile& profile = out.profile[slice.instruction];
    ++profile.runs;
    profile.busy += slice.end - slice.begin;
    profile.waiting += slice.begin - slice.waited_from;
  }
  out.queues = queues_of(outcome, releases);
  out.levers = std::move(levers);
  return out;
}

}  // namespace hadal::report
