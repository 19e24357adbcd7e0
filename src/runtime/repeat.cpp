#include "runtime/repeat.h"

#include <algorithm>
#include <cmath>

#include "runtime/stopwatch.h"

namespace hadal::runtime {

Spread spread_of(std::vector<double> seconds) {
  if (seconds.empty()) return {};
  std::sort(seconds.begin(), seconds.end());
  // Nearest rank: the least value that a share `q` of all does not pass.
  const auto rank = [&](double q) {
    return seconds[static_cast<size_t>(std::ceil(q * static_cast<double>(seconds.size()))) - 1];
  };
  const size_t middle = seconds.size() / 2;
  const double median = seconds.size() % 2 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return {median, rank(0.5), rank(0.99)};
}

Status repeat_values(machine::ValueMachine& machine, const std::vector<Tensor>& inputs, const Request& request,
                     Repeats& repeats) {
  std::vector<double> seconds;
  double kernels = 0, total = 0;
  const int64_t each = std::max<int64_t>(1, request.repeat / 100);
  for (int64_t i = 0; i < request.repeat; ++i) {
    if (request.source.progress && i % each == 0)
      request.source.progress(fmt::format("warm run {} of {}", i + 1, request.repeat));
    machine::ValueCounts counts;
    Stopwatch watch;
    HADAL_TRY(const auto outputs, machine.run(inputs, counts));
    seconds.push_back(watch.lap());
    kernels += counts.kernel_seconds;
    total += seconds.back();
  }
  repeats.functional = spread_of(std::move(seconds));
  repeats.kernel_share = total > 0 ? kernels / (total * request.threads) : 0;
  return {};
}

void repeat_timing(const chip::Chip& chip, const machine::Timing& timing, const Request& request, Repeats& repeats) {
  // Nothing that a run's time depends on differs between warm runs, so one time stands for all of them.
  const double latency = chip.seconds(static_cast<double>(timing.cycles)),
               launch = chip.seconds(static_cast<double>(timing.launch_cycles));
  repeats.chip = Spread{latency, latency, latency};
  const double on_chip = latency - launch - timing.host_seconds, on_host = launch + timing.host_seconds;
  const double on_link =
      chip.host.bytes_per_second > 0 ? static_cast<double>(timing.host_bytes) / chip.host.bytes_per_second : 0;
  const double interval = std::max({on_chip, on_host, on_link});
  repeats.frames_per_second = interval > 0 ? 1 / interval : 0;
  if (request.deadline_seconds) repeats.deadline_met = latency <= *request.deadline_seconds;
}

}  // namespace hadal::runtime
