// One source that sends traffic in order to all channels of a memory, and what it measures.
#pragma once

#include "memory/device.h"
#include "memory/traffic.h"

namespace hadal::memory {

struct Replayed {
  Tick ticks = 0;  ///< Until the last request was accepted and the last read returned.
  int64_t bytes = 0, reads = 0;
  double mean_latency = 0;  ///< Of reads [ticks]: from acceptance, or with an offered load from when they came.
};

/// Sends the traffic from a cold start. The source is strictly in order: what a full queue refuses holds up all behind
/// it. Each tick it sends at most four bursts a channel. `fast` leaves out what goes on as before (sampler.h). Errors:
/// traffic.*.
Result<Replayed> replay(const Device& device, const Traffic& traffic, bool fast = false);

}  // namespace hadal::memory
