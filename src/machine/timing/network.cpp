#include "machine/timing/network.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace hadal::machine::timing {

namespace {

enum Direction : size_t { east, west, south, north, directions };

/// A program for sixteen cores is then in a square on any larger mesh, and its groups of four in a row.
constexpr int32_t block_side = 4;

}  // namespace

Network::Network(const chip::Chip& chip) : cores_(static_cast<uint32_t>(chip.cores)) {
  const chip::Network& network = chip.network;
  const Cycles clock{chip.clock.hertz};
  hop_ = clock.time(network.hop_cycles);
  rate_ = clock.rate(network.link_bytes_per_cycle);
  if (network.topology == "mesh") {
    topology_ = Topology::mesh;
    columns_ = static_cast<int32_t>(network.x);
    const auto rows = static_cast<int32_t>(std::max(network.y, (chip.cores + network.x - 1) / network.x));
    const int32_t edges = columns_ > 1 ? 2 : 1;
    ports_ = static_cast<uint32_t>(rows * edges);
    for (int32_t y = 0; y < rows; ++y) {
      for (int32_t x = 0; x < columns_; ++x) places_.push_back({x, y});
    }
    std::ranges::stable_sort(places_, {}, [&](const Place& p) {
      const int32_t from_middle = std::abs(2 * p.y + 1 - rows) / block_side;
      return std::pair(from_middle, p.x / block_side);
    });
    places_.resize(cores_);
    for (int32_t p = 0; p < rows * edges; ++p) places_.push_back({p % edges == 0 ? 0 : columns_ - 1, p / edges});
    links_.resize(static_cast<size_t>(columns_) * static_cast<size_t>(rows) * directions);
  } else if (network.topology == "crossbar") {
    topology_ = Topology::crossbar;
    ports_ = static_cast<uint32_t>(chip.memory.channels);
    links_.resize(size_t{cores_ + ports_} * 2);
  }
}

int64_t Network::hops(Node from, Node to) const {
  if (topology_ == Topology::none) return 0;
  if (topology_ == Topology::crossbar) return from == to ? 0 : 1;
  const Place a = places_[from], b = places_[to];
  return std::abs(a.x - b.x) + std::abs(a.y - b.y);
}

/// Returns false where the present tree has taken the link already. Demand waits for demand alone; what it overtakes
/// pays with the time that it took, from when the link has it.
bool Network::pass(size_t number, Time length, Class traffic, Time& head) {
  Link& link = links_[number];
  if (tree_ != 0 && link.tree == tree_) {
    head = link.tree_head;
    return false;
  }
  const Time start = link.all.free_from(head, length);
  link.all.take(start, length);
  if (traffic == Class::demand) {
    head = link.demand.free_from(head, length);
    link.demand.take(head, length);
  } else {
    head = start;
  }
  if (tree_ != 0) {
    link.tree = tree_;
    link.tree_head = head;
  }
  return true;
}

Network::Passage Network::send(Node from, Node to, int64_t bytes, Time head, Class traffic) {
  const int64_t count = hops(from, to);
  if (count == 0) return {head, head, 0};
  int64_t links = 0;
  const Time length = rate_.time(bytes), idle = head + count * hop_;
  if (topology_ == Topology::crossbar) {
    pass(size_t{from} * 2, length, traffic, head);
    links = pass(size_t{to} * 2 + 1, length, traffic, head) ? 1 : 0;
    head += hop_;
  } else {
    Place at = places_[from];
    const Place goal = places_[to];
    while (!(at == goal)) {
      const size_t router = static_cast<size_t>(at.y) * static_cast<size_t>(columns_) + static_cast<size_t>(at.x);
      Direction way = east;
      if (at.x != goal.x) {
        way = at.x < goal.x ? east : west;
        at.x += way == east ? 1 : -1;
      } else {
        way = at.y < goal.y ? south : north;
        at.y += way == south ? 1 : -1;
      }
      if (pass(router * directions + way, length, traffic, head)) ++links;
      head += hop_;
    }
  }
  hop_bytes_ += static_cast<uint64_t>(links * bytes);
  return {head, head + length, head - idle};
}

}  // namespace hadal::machine::timing
