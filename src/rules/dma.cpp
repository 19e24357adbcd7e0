#include "rules/dma.h"

#include <algorithm>
#include <numeric>

#include "rules/cycles.h"

namespace hadal::rules {

int64_t burst_bytes(const chip::Dma& dma, const DmaWork& work) {
  if (work.runs <= 0 || work.run_bytes <= 0) return 0;
  const int64_t burst = dma.burst_bytes;
  const auto offset = [&](int64_t bytes) { return ((bytes % burst) + burst) % burst; };  // Strides may be negative.
  const int64_t start = offset(work.start), stride = offset(work.stride);
  const auto bursts = [&](int64_t run) {  // Of the run-th run, by the place of its first byte in a burst.
    return static_cast<double>(ceil_div((start + (run % burst) * stride) % burst + work.run_bytes, burst));
  };
  // Places in a burst repeat with this period, so that the cost is not that of the runs.
  const int64_t period = burst / std::gcd(stride, burst);
  double total = 0, rest = 0;
  for (int64_t run = 0; run < std::min(period, work.runs); ++run) {
    total += bursts(run);
    if (run < work.runs % period) rest += bursts(run);
  }
  const int64_t periods = work.runs / period;
  if (periods > 0) total = total * static_cast<double>(periods) + rest;
  return whole_cycles(total * static_cast<double>(burst));
}

int64_t dma_cycles(const chip::Dma& dma, const DmaWork& work) {
  const double moved = static_cast<double>(burst_bytes(dma, work)) / dma.bytes_per_cycle;
  if (!work.convert || work.runs <= 0 || work.run_bytes <= 0) return whole_cycles(moved);
  const double useful = static_cast<double>(work.runs) * static_cast<double>(work.run_bytes);
  return whole_cycles(std::max(moved, useful / dma.convert_bytes_per_cycle));
}

double dma_efficiency(const chip::Dma& dma, const DmaWork& work) {
  const auto moved = static_cast<double>(burst_bytes(dma, work));
  return moved > 0 ? static_cast<double>(work.runs) * static_cast<double>(work.run_bytes) / moved : 1;
}

}  // namespace hadal::rules
