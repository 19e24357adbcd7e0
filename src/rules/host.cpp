#include "rules/host.h"

#include <algorithm>
#include <bit>

#include "rules/cycles.h"

namespace hadal::rules {

namespace {

double seconds(double amount, double rate) { return amount > 0 ? amount / rate : 0; }

}  // namespace

int64_t host_call_femtoseconds(const chip::Host& host, const HostWork& work) {
  const auto bytes = static_cast<double>(work.bytes_in + work.bytes_out);
  const double computing = std::max(seconds(static_cast<double>(work.operations), host.operations_per_second),
                                    seconds(bytes, host.memory_bytes_per_second));
  const double moving = seconds(bytes, host.bytes_per_second);
  return whole_cycles(2 * static_cast<double>(host.link_latency_femtoseconds) + (moving + computing) * 1e15);
}

int64_t suppression_operations(int64_t lists, int64_t boxes, int64_t kept) {
  const auto levels = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(1, boxes)) - 1));
  return lists * boxes * levels + kept * boxes * 16;
}

}  // namespace hadal::rules
