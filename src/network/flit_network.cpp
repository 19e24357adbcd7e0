#include "network/flit_network.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace hadal::network {

namespace {

constexpr Port end = ports;             // Beyond the router: the node's source or sink.
constexpr int32_t terminal_cycles = 1;  // Links between a router and its node.

/// Cycles from a win in switch allocation until the flit is in the next buffer: traversal of the switch, then the link.
constexpr int32_t flight(int32_t link_cycles) { return link_cycles + 2; }
/// Cycles until the place that it left counts at the other end of that link.
constexpr int32_t return_flight(int32_t link_cycles, int32_t credit_cycles) { return link_cycles + 1 + credit_cycles; }

constexpr uint32_t word_bits = 64;
constexpr int32_t most_nodes = 1 << 20, most_places = 1 << 16, most_cycles = 1 << 16;

}  // namespace

Result<FlitNetwork> FlitNetwork::make(const FlitConfig& config) {
  const Grid& grid = config.grid;
  if (grid.columns < 1 || grid.rows < 1 || int64_t{grid.columns} * grid.rows > most_nodes) {
    return Error{"network.grid",
                 fmt::format("a grid of {} x {} nodes", grid.columns, grid.rows),
                 {},
                 fmt::format("from 1 to {} nodes", most_nodes)};
  }
  const uint32_t fewest = grid.torus ? 2 : 1;
  if (config.vcs < fewest || config.vcs > Router::most_vcs) {
    return Error{"network.vcs",
                 fmt::format("{} virtual channels", config.vcs),
                 {},
                 fmt::format("a {} has from {} to {}", grid.torus ? "torus" : "mesh", fewest, Router::most_vcs)};
  }
  if (config.buffer_flits < 1 || config.buffer_flits > most_places) {
    return Error{"network.buffer",
                 fmt::format("{} flits a virtual channel", config.buffer_flits),
                 {},
                 fmt::format("from 1 to {}", most_places)};
  }
  if (config.link_cycles < 0 || config.credit_cycles < 0 ||
      std::max(config.link_cycles, config.credit_cycles) > most_cycles) {
    return Error{"network.cycles",
                 fmt::format("links of {} cycles, credits of {}", config.link_cycles, config.credit_cycles),
                 {},
                 fmt::format("from 0 to {}", most_cycles)};
  }
  return FlitNetwork(config);
}

FlitNetwork::FlitNetwork(const FlitConfig& config)
    : config_(config),
      routers_(config.grid.nodes(), Router(config.vcs, config.buffer_flits, config.grid.torus)),
      sources_(config.grid.nodes()),
      active_((config.grid.nodes() + word_bits - 1) / word_bits) {
  for (Source& source : sources_) {
    source.credits.assign(config.vcs, config.buffer_flits);
    source.vc = static_cast<uint8_t>(config.vcs - 1);  // The first packet takes the first one.
  }
  const int32_t longest = std::max(config.link_cycles, terminal_cycles);
  wheel_.resize(static_cast<size_t>(std::max(flight(longest), return_flight(longest, config.credit_cycles))) + 1);
}

void FlitNetwork::offer(Node source, Node destination, uint32_t flits, int64_t created) {
  uint32_t packet = 0;
  if (free_packets_.empty()) {
    packet = static_cast<uint32_t>(packets_.size());
    packets_.emplace_back();
  } else {
    packet = free_packets_.back();
    free_packets_.pop_back();
  }
  const Way way = config_.grid.way(source, destination);
  packets_[packet] = {source, destination, flits, way, 0, created, now_, now_};
  Source& queue = sources_[source];
  queue.packet = packet;
  queue.flits_left = flits;
  queue.started = false;
}

void FlitNetwork::step(Random& random, std::vector<Delivery>& deliveries) {
  arrive(in(0), deliveries);
  for (Node node = 0; node < sources_.size(); ++node) {
    if (sources_[node].flits_left > 0) inject(node);
  }
  run_routers(random);
  ++now_;
}

/// In the order of their numbers, for the sake of what they draw.
void FlitNetwork::run_routers(Random& random) {
  for (size_t word = 0; word < active_.size(); ++word) {
    for (uint64_t rest = active_[word]; rest != 0; rest &= rest - 1) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(rest));
      const Node node = static_cast<Node>(word * word_bits + bit);
      routers_[node].step(packets_, random, departures_);
      for (const Router::Departure& departure : departures_) send(node, departure);
      departures_.clear();
      if (routers_[node].idle()) active_[word] &= ~(uint64_t{1} << bit);
    }
  }
}

void FlitNetwork::arrive(Slot& slot, std::vector<Delivery>& deliveries) {
  for (const FlitArrival& arrival : slot.flits) {
    if (arrival.port == end) {
      eject(arrival, deliveries);
      continue;
    }
    routers_[arrival.node].receive(arrival.port, arrival.flit);
    active_[arrival.node / word_bits] |= uint64_t{1} << arrival.node % word_bits;
  }
  for (const auto [node, port, vc] : slot.credits) {
    if (port == end) {
      ++sources_[node].credits[vc];
    } else {
      routers_[node].credit(port, vc);
    }
  }
  slot.flits.clear();
  slot.credits.clear();
}

/// A node takes a flit as it comes.
void FlitNetwork::eject(const FlitArrival& arrival, std::vector<Delivery>& deliveries) {
  ++ejected_flits_;
  in(return_flight(terminal_cycles, config_.credit_cycles)).credits.push_back({arrival.node, local, arrival.flit.vc});
  Packet& packet = packets_[arrival.flit.packet];
  if (--packet.flits > 0) return;
  deliveries.push_back({packet.created, packet.first, packet.injected, now_, packet.routers});
  free_packets_.push_back(arrival.flit.packet);
}

/// Sends a flit of the packet that is first in the node's queue, if the router has a place for it.
void FlitNetwork::inject(Node node) {
  Source& source = sources_[node];
  Packet& packet = packets_[source.packet];
  if (!source.started && !choose_vc(source)) return;
  if (source.credits[source.vc] == 0) return;
  if (!source.started) packet.injected = now_;
  const Flit flit{source.packet, source.vc, !source.started, source.flits_left == 1};
  source.started = true;
  --source.flits_left;
  --source.credits[source.vc];
  ++injected_flits_;
  in(terminal_cycles + 1).flits.push_back({node, local, flit});
}

/// The next virtual channel, in turn, that has a place.
bool FlitNetwork::choose_vc(Source& source) const {
  for (uint32_t i = 1; i <= config_.vcs; ++i) {
    const uint32_t vc = (source.vc + i) % config_.vcs;
    if (source.credits[vc] > 0) return source.vc = static_cast<uint8_t>(vc), true;
  }
  return false;
}

void FlitNetwork::send(Node node, const Router::Departure& departure) {
  if (departure.output == local) {
    in(flight(terminal_cycles)).flits.push_back({node, end, departure.flit});
  } else {
    const Node next = config_.grid.neighbour(node, departure.output);
    in(flight(config_.link_cycles)).flits.push_back({next, opposite(departure.output), departure.flit});
  }
  if (departure.input == local) {  // Sources have no router's delay before a credit counts.
    in(return_flight(terminal_cycles, 0)).credits.push_back({node, end, departure.freed});
  } else {
    const Node last = config_.grid.neighbour(node, departure.input);
    in(return_flight(config_.link_cycles, config_.credit_cycles))
        .credits.push_back({last, opposite(departure.input), departure.freed});
  }
}

Backlog FlitNetwork::backlog() const {
  Backlog backlog{0, 0, std::numeric_limits<int64_t>::max()};
  for (const Packet& packet : packets_) {
    if (packet.flits == 0) continue;  // Free for the next one.
    backlog.flits += packet.flits;
    backlog.created += packet.flits * packet.created;
    backlog.oldest = std::min(backlog.oldest, packet.created);
  }
  return backlog;
}

LoadedFlitNetwork::LoadedFlitNetwork(FlitNetwork network, Load load)
    : network_(std::move(network)),
      load_(std::move(load)),
      random_(load_.seed),
      arrivals_(network_.grid().nodes(), Arrivals(load_.flits_per_node_cycle / load_.packet_flits)) {}

void LoadedFlitNetwork::run(int64_t cycles, std::vector<Delivery>& deliveries) {
  const Grid& grid = network_.grid();
  for (const int64_t until = now() + cycles; now() < until;) {
    for (Node node = 0; node < grid.nodes(); ++node) {
      if (!network_.queue_empty(node) || !arrivals_[node].advance(now() + 1, random_)) continue;
      const Node destination = load_.traffic.destination(node, random_);
      random_.below(1);  // BookSim draws one of its one subnetworks.
      network_.offer(node, destination, load_.packet_flits, arrivals_[node].created());
    }
    network_.step(random_, deliveries);
  }
}

Backlog LoadedFlitNetwork::backlog() const {
  Backlog backlog = network_.backlog();
  for (const Arrivals& arrivals : arrivals_) backlog.oldest = std::min(backlog.oldest, arrivals.drawn());
  return backlog;
}

}  // namespace hadal::network
