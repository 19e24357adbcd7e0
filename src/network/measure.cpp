#include "network/measure.h"

#include <cmath>

namespace hadal::network {

namespace {

struct Sums {
  int64_t packets = 0, routers = 0;
  double latency = 0, network_latency = 0;

  void add(const Delivery& delivery) {
    ++packets;
    routers += delivery.routers;
    latency += static_cast<double>(delivery.arrived - delivery.created);
    network_latency += static_cast<double>(delivery.arrived - delivery.injected);
  }
  [[nodiscard]] double mean(double sum) const { return packets > 0 ? sum / static_cast<double>(packets) : 0; }
};

class Measurement {
 public:
  Measurement(Loaded& network, const Windows& windows) : network_(network), windows_(windows) {}

  /// Warms up and samples; false: saturated.
  bool sample();
  /// Lets all packets that were created in the measured time arrive; false: saturated.
  bool drain();
  [[nodiscard]] Measured result(uint32_t nodes, bool stable) const;

 private:
  void run(int64_t cycles);
  void restart();
  bool over_limit() const;
  bool settled();

  Loaded& network_;
  const Windows& windows_;
  bool warm_ = false, draining_ = false;
  int64_t begin_ = 0, end_ = 0;       ///< Of the measured time.
  int64_t before_ = 0, arrived_ = 0;  ///< Flits that arrived until it, and in it.
  Sums sums_;
  double last_latency_ = 0, last_accepted_ = 0;
  std::vector<Delivery> deliveries_;
};

void Measurement::run(int64_t cycles) {
  deliveries_.clear();
  network_.run(cycles, deliveries_);
  for (const Delivery& delivery : deliveries_) {
    if (!warm_ || (delivery.first >= begin_ && (!draining_ || delivery.created < end_))) sums_.add(delivery);
  }
  if (draining_) return;
  end_ = network_.now();
  arrived_ = network_.arrived_flits() - before_;
}

void Measurement::restart() {
  begin_ = end_ = network_.now();
  before_ = network_.arrived_flits();
  arrived_ = 0;
  sums_ = {};
}

/// Flits still under way count with their age.
bool Measurement::over_limit() const {
  const Backlog backlog = network_.backlog();
  const double age = static_cast<double>(backlog.flits * network_.now() - backlog.created);
  const auto count = static_cast<double>(sums_.packets + backlog.flits);
  return count > 0 && (sums_.latency + age) / count > windows_.latency_limit;
}

bool Measurement::settled() {
  const double latency = sums_.mean(sums_.latency);
  const double accepted = static_cast<double>(arrived_) / static_cast<double>(end_ - begin_);
  const bool settled = std::abs(latency - last_latency_) <= windows_.tolerance * latency &&
                       std::abs(accepted - last_accepted_) <= windows_.tolerance * accepted;
  last_latency_ = latency;
  last_accepted_ = accepted;
  return settled;
}

bool Measurement::sample() {
  constexpr int enough = 3;
  int settled_samples = 0;
  for (int i = 0; i < windows_.most_samples && settled_samples < enough; ++i) {
    // The second half of the warm-up starts anew, so that a network found saturated in it has a figure without the
    // start.
    if (i == windows_.warmup_samples || (i < windows_.warmup_samples && i % 2 == 0)) restart();
    warm_ = i >= windows_.warmup_samples;
    run(windows_.sample_cycles);
    const bool is_settled = settled();
    if (over_limit()) return false;
    if (warm_) settled_samples = is_settled ? settled_samples + 1 : 0;
  }
  return true;
}

bool Measurement::drain() {
  constexpr int64_t stride = 100, check = 1000;
  draining_ = true;
  while (network_.backlog().oldest < end_) {
    run(stride);
    if ((network_.now() - end_) % check == 0 && over_limit()) return false;
  }
  return true;
}

Measured Measurement::result(uint32_t nodes, bool stable) const {
  Measured measured;
  const double node_cycles = static_cast<double>(end_ - begin_) * nodes;
  measured.accepted = static_cast<double>(arrived_) / node_cycles;
  measured.packet_latency = sums_.mean(sums_.latency);
  measured.network_latency = sums_.mean(sums_.network_latency);
  measured.routers = sums_.mean(static_cast<double>(sums_.routers));
  measured.saturated = !stable;
  measured.cycles = network_.now();
  return measured;
}

}  // namespace

Measured measure(Loaded& network, uint32_t nodes, const Windows& windows) {
  Measurement measurement(network, windows);
  const bool stable = measurement.sample() && measurement.drain();
  return measurement.result(nodes, stable);
}

}  // namespace hadal::network
