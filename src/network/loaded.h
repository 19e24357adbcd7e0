// What measuring a network under load needs of it, whatever its level of detail.
#pragma once

#include <cstdint>
#include <vector>

#include "network/random.h"
#include "network/traffic.h"

namespace hadal::network {

/// Open-loop traffic: every node creates packets by a Bernoulli process of its own, whatever the network does with
/// them.
struct Load {
  Traffic traffic;
  uint32_t packet_flits = 1;
  double flits_per_node_cycle = 0;  ///< Offered.
  uint32_t seed = 1;
};

/// A packet that arrived. Times in cycles.
struct Delivery {
  int64_t created = 0;   ///< At its source,
  int64_t first = 0;     ///< was first in the queue there,
  int64_t injected = 0;  ///< its head went into the network,
  int64_t arrived = 0;   ///< and its tail came out.
  int32_t routers = 0;   ///< On its way, those of source and destination included.
};

/// Flits that have not arrived.
struct Backlog {
  int64_t flits = 0;    ///< Of packets in the network, or first in the queue of their source.
  int64_t created = 0;  ///< Sum of their times.
  int64_t oldest = 0;   ///< Of all packets that have not arrived, queues included; INT64_MAX without any.
};

/// A network and its sources.
class Loaded {
 public:
  virtual ~Loaded() = default;
  [[nodiscard]] virtual int64_t now() const = 0;
  /// Runs for so many cycles, and appends what arrived.
  virtual void run(int64_t cycles, std::vector<Delivery>& deliveries) = 0;
  /// Since the beginning.
  [[nodiscard]] virtual int64_t arrived_flits() const = 0;
  [[nodiscard]] virtual Backlog backlog() const = 0;
};

/// Creation times of one node's packets: one chance a cycle.
class Arrivals {
 public:
  explicit Arrivals(double packets_per_cycle) : chance_(packets_per_cycle) {}
  /// Moves to the next creation before `end`. False: none, and all cycles before `end` are drawn.
  bool advance(int64_t end, Random& random) {
    while (drawn_ < end) {
      if (random.fraction() < chance_) return created_ = drawn_++, true;
      ++drawn_;
    }
    return false;
  }
  [[nodiscard]] int64_t created() const { return created_; }
  /// Cycles before this one are drawn.
  [[nodiscard]] int64_t drawn() const { return drawn_; }

 private:
  double chance_;
  int64_t drawn_ = 0, created_ = 0;
};

}  // namespace hadal::network
