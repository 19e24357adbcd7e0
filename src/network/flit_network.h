// A grid of routers under load, flit by flit.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "network/loaded.h"
#include "network/router.h"

namespace hadal::network {

struct FlitConfig {
  Grid grid;
  uint32_t vcs = 4;           ///< Virtual channels a link.
  uint32_t buffer_flits = 8;  ///< Places a virtual channel.
  int32_t link_cycles = 1;    ///< Of the links between routers; those to and from nodes take 1.
  int32_t credit_cycles = 1;  ///< From a credit's arrival at a router until it counts, besides the link's cycles.
};

/// Routers, links, and a source and a sink a node. Routers where nothing waits cost nothing.
class FlitNetwork {
 public:
  /// Errors: network.grid, network.vcs, network.buffer, network.cycles.
  static Result<FlitNetwork> make(const FlitConfig& config);

  /// Puts a packet into the queue of its source, whose other packets must have left it (`queue_empty`).
  void offer(Node source, Node destination, uint32_t flits, int64_t created);
  [[nodiscard]] bool queue_empty(Node source) const { return sources_[source].flits_left == 0; }
  /// One cycle; appends the packets whose tail arrived. What is offered before leaves its queue in it at the earliest.
  /// `random` decides between ways that are as short.
  void step(Random& random, std::vector<Delivery>& deliveries);

  [[nodiscard]] int64_t now() const { return now_; }
  [[nodiscard]] const Grid& grid() const { return config_.grid; }
  /// Flits that left queues, and that arrived, since the beginning.
  [[nodiscard]] int64_t injected_flits() const { return injected_flits_; }
  [[nodiscard]] int64_t ejected_flits() const { return ejected_flits_; }
  [[nodiscard]] Backlog backlog() const;

 private:
  explicit FlitNetwork(const FlitConfig& config);

  struct Source {
    uint32_t packet = 0, flits_left = 0;
    bool started = false;  ///< Its head has left.
    uint8_t vc = 0;        ///< Of the packet, or of the last one.
    std::vector<uint32_t> credits;
  };
  struct FlitArrival {
    Node node;
    Port port;  ///< `ports`: at the node's sink.
    Flit flit;
  };
  struct CreditArrival {
    Node node;
    Port port;  ///< `ports`: at the node's source.
    uint8_t vc;
  };
  /// What arrives in one cycle.
  struct Slot {
    std::vector<FlitArrival> flits;
    std::vector<CreditArrival> credits;
  };
  Slot& in(int32_t cycles) { return wheel_[static_cast<size_t>(now_ + cycles) % wheel_.size()]; }

  void arrive(Slot& slot, std::vector<Delivery>& deliveries);
  void eject(const FlitArrival& arrival, std::vector<Delivery>& deliveries);
  void inject(Node node);
  bool choose_vc(Source& source) const;
  void run_routers(Random& random);
  void send(Node node, const Router::Departure& departure);

  FlitConfig config_;
  int64_t now_ = 0;
  std::vector<Router> routers_;
  std::vector<Source> sources_;
  std::vector<Slot> wheel_;       ///< By cycle modulo its size.
  std::vector<uint64_t> active_;  ///< A bit a router that is not idle.
  std::vector<Packet> packets_;
  std::vector<uint32_t> free_packets_;
  std::vector<Router::Departure> departures_;
  int64_t injected_flits_ = 0, ejected_flits_ = 0;
};

/// A flit network with a load on it.
class LoadedFlitNetwork : public Loaded {
 public:
  LoadedFlitNetwork(FlitNetwork network, Load load);
  [[nodiscard]] int64_t now() const override { return network_.now(); }
  void run(int64_t cycles, std::vector<Delivery>& deliveries) override;
  [[nodiscard]] int64_t arrived_flits() const override { return network_.ejected_flits(); }
  [[nodiscard]] Backlog backlog() const override;

 private:
  FlitNetwork network_;
  Load load_;
  Random random_;
  std::vector<Arrivals> arrivals_;
};

}  // namespace hadal::network
