// Steady-state measurement of a network under load.
#pragma once

#include <cstdint>

#include "network/loaded.h"

namespace hadal::network {

/// When to measure: after `warmup_samples`, until three samples in a row have changed the figures by less than
/// `tolerance`. A network whose mean latency passes `latency_limit` is saturated.
struct Windows {
  int64_t sample_cycles = 2000;
  int warmup_samples = 3, most_samples = 20;
  double tolerance = 0.05;
  double latency_limit = 1000;
};

/// Latencies are means in cycles, over the packets created in the measured time.
struct Measured {
  double accepted = 0;         ///< Flits a node a cycle that arrived.
  double packet_latency = 0;   ///< From creation to the tail's arrival.
  double network_latency = 0;  ///< From the head's leaving its queue to the tail's arrival.
  double routers = 0;
  bool saturated = false;  ///< Then the latencies mean nothing.
  int64_t cycles = 0;      ///< Simulated.
};

Measured measure(Loaded& network, uint32_t nodes, const Windows& windows = {});

}  // namespace hadal::network
