#include <algorithm>
#include <functional>
#include <limits>

#include "network/flow_network.h"

namespace hadal::network {

namespace {

constexpr auto later = [](const Delivery& a, const Delivery& b) { return a.arrived > b.arrived; };

}  // namespace

LoadedFlowNetwork::LoadedFlowNetwork(FlowNetwork network, uint32_t nodes, Load load, int64_t ticks_per_cycle)
    : network_(std::move(network)),
      load_(std::move(load)),
      ticks_per_cycle_(ticks_per_cycle),
      random_(load_.seed),
      sources_(nodes, Source{Arrivals(load_.flits_per_node_cycle / load_.packet_flits)}) {}

/// The node's next packet before `end`, if it creates one.
void LoadedFlowNetwork::enqueue(Node node, int64_t end) {
  Source& source = sources_[node];
  source.waiting = source.arrivals.advance(end, random_);
  if (!source.waiting) return;
  turns_.push_back({std::max(source.arrivals.created() * ticks_per_cycle_, source.free), node});
  std::ranges::push_heap(turns_, std::greater<>{});
}

void LoadedFlowNetwork::send(const Turn& turn) {
  Source& source = sources_[turn.node];
  const Node destination = load_.traffic.destination(turn.node, random_);
  const auto passage = network_.send(turn.node, destination, load_.packet_flits, turn.time);
  source.free = turn.time + (passage.tail - passage.head) + passage.held;
  // The tail's last tick is in the cycle before its end.
  const int64_t arrived = (passage.tail + ticks_per_cycle_ - 1) / ticks_per_cycle_ - 1;
  const int64_t injected = turn.time / ticks_per_cycle_;
  under_way_.push_back({source.arrivals.created(), injected, injected, arrived, passage.routers});
  std::ranges::push_heap(under_way_, later);
}

void LoadedFlowNetwork::run(int64_t cycles, std::vector<Delivery>& deliveries) {
  const int64_t end = now_ + cycles;
  for (Node node = 0; node < sources_.size(); ++node) {
    if (!sources_[node].waiting) enqueue(node, end);
  }
  while (!turns_.empty() && turns_.front().time < end * ticks_per_cycle_) {
    std::ranges::pop_heap(turns_, std::greater<>{});
    const Turn turn = turns_.back();
    turns_.pop_back();
    send(turn);
    enqueue(turn.node, end);
  }
  while (!under_way_.empty() && under_way_.front().arrived < end) {
    std::ranges::pop_heap(under_way_, later);
    deliveries.push_back(under_way_.back());
    under_way_.pop_back();
    ++arrived_packets_;
  }
  now_ = end;
}

Backlog LoadedFlowNetwork::backlog() const {
  Backlog backlog{0, 0, std::numeric_limits<int64_t>::max()};
  for (const Delivery& packet : under_way_) {
    backlog.flits += load_.packet_flits;
    backlog.created += load_.packet_flits * packet.created;
    backlog.oldest = std::min(backlog.oldest, packet.created);
  }
  for (const Source& source : sources_) {
    backlog.oldest = std::min(backlog.oldest, source.waiting ? source.arrivals.created() : source.arrivals.drawn());
  }
  return backlog;
}

}  // namespace hadal::network
