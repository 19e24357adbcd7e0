#include "network/flow_network.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hadal::network {

Result<FlowNetwork> FlowNetwork::make(FlowConfig config) {
  constexpr int64_t most_routers = 1 << 24;
  const Grid& grid = config.grid;
  if (grid.columns < 1 || grid.rows < 1 || int64_t{grid.columns} * grid.rows > most_routers) {
    return Error{"network.grid",
                 fmt::format("a grid of {} x {} routers", grid.columns, grid.rows),
                 {},
                 fmt::format("from 1 to {}", most_routers)};
  }
  if (config.vcs > 0 && config.buffer_bytes < 1) {
    return Error{"network.buffer", fmt::format("{} bytes a virtual channel", config.buffer_bytes), {}, "at least 1"};
  }
  for (const Node router : config.router_of_node) {
    if (router >= grid.nodes()) {
      return Error{
          "network.node", fmt::format("a node at router {} of {}", router, grid.nodes()), {}, "they count from 0"};
    }
  }
  return FlowNetwork(std::move(config));
}

FlowNetwork::FlowNetwork(FlowConfig config) : config_(std::move(config)) {
  if (config_.topology == FlowConfig::Topology::grid) links_.resize(size_t{config_.grid.nodes()} * ports);
  if (config_.topology == FlowConfig::Topology::crossbar) links_.resize(size_t{config_.crossbar_nodes} * 2);
  if (config_.vcs > 0) {
    outputs_.resize(links_.size());
    usable_vcs_ = config_.grid.torus ? config_.vcs / 2.0 : config_.vcs;  // A side of the dateline.
    const double filled = usable_vcs_ * static_cast<double>(config_.buffer_bytes) * config_.ticks_per_byte;
    const double by_credits = config_.credit_ticks > 0 ? filled / static_cast<double>(config_.credit_ticks) : 1;
    exit_share_ = config_.switch_share;
    link_share_ =
        config_.switch_share * (1 - std::pow(config_.blocked_chance, usable_vcs_)) * std::min(1.0, by_credits);
  }
}

int64_t FlowNetwork::hops(Node from, Node to) const {
  switch (config_.topology) {
    case FlowConfig::Topology::none:
      return 0;
    case FlowConfig::Topology::crossbar:
      return from == to ? 0 : 1;
    case FlowConfig::Topology::grid:
      break;
  }
  return config_.grid.way(config_.router_of_node[from], config_.router_of_node[to]).hops();
}

int64_t FlowNetwork::distance(Node from, Node to) const {
  const int64_t links = hops(from, to) + (config_.terminal_links ? 1 : 0);
  return links == 0 ? 0 : config_.entry_ticks + (links - 1) * config_.hop_ticks + config_.exit_ticks;
}

/// A message that waits for a link finds it slower: only queues see what the routers lose.
void FlowNetwork::pass(Link& link, double share, Course& course) const {
  if (tree_ != 0 && link.tree == tree_) {
    course.head = link.tree_head;
    return;
  }
  int64_t length = course.length, start = link.calendar.free_from(course.head, length);
  if (start > course.head && share < 1) {
    length = std::llround(static_cast<double>(length) / share);
    start = link.calendar.free_from(course.head, length);
  }
  link.calendar.take(start, length);
  course.head = link.tree_head = start;
  link.tree = tree_;
  ++course.links;
}

double FlowNetwork::share(Node router, Port input, Port output, int64_t length) {
  if (outputs_.empty()) return 1;
  uint8_t& outputs = outputs_[size_t{router} * ports + input];
  outputs = static_cast<uint8_t>(outputs | 1U << output);
  if (std::has_single_bit(outputs)) return 1;
  if (output == local) return exit_share_;
  const double by_heads = usable_vcs_ * static_cast<double>(length) / static_cast<double>(length + config_.head_ticks);
  return std::min(link_share_, by_heads);
}

void FlowNetwork::walk(Node from, Node to, Course& course) {
  Node at = config_.router_of_node[from];
  Way way = config_.grid.way(at, config_.router_of_node[to]);
  for (Port input = local;;) {
    const Port output = way.take(random_);
    ++course.routers;
    if (output == local && !config_.terminal_links) return;
    if (course.routers > 1) course.head += config_.hop_ticks;
    pass(links_[size_t{at} * ports + output], share(at, input, output, course.length), course);
    if (output == local) return;
    at = config_.grid.neighbour(at, output);
    input = opposite(output);
  }
}

void FlowNetwork::cross(Node from, Node to, Course& course) {
  course.routers = 1;
  pass(links_[size_t{from} * 2], 1, course);
  const int64_t before = course.links;
  pass(links_[size_t{to} * 2 + 1], 1, course);
  course.links -= before;  // Both ends are one hop.
}

/// What a message that is longer than a buffer waits for credits, while others have the link.
int64_t FlowNetwork::stalls(int64_t bytes) const {
  if (config_.vcs == 0 || bytes <= config_.buffer_bytes) return 0;
  const double filled = static_cast<double>(config_.buffer_bytes) * config_.ticks_per_byte;
  return (bytes - 1) / config_.buffer_bytes * std::max<int64_t>(0, config_.credit_ticks - static_cast<int64_t>(filled));
}

FlowNetwork::Passage FlowNetwork::send(Node from, Node to, int64_t bytes, int64_t head) {
  if (hops(from, to) == 0 && !(config_.topology == FlowConfig::Topology::grid && config_.terminal_links)) {
    return {head, head};
  }
  constexpr double half = 0.5;
  Course course;
  course.length = static_cast<int64_t>(static_cast<double>(bytes) * config_.ticks_per_byte + half);
  course.head = head + config_.entry_ticks;
  config_.topology == FlowConfig::Topology::grid ? walk(from, to, course) : cross(from, to, course);
  course.head += config_.exit_ticks;
  hop_bytes_ += static_cast<uint64_t>(course.links * bytes);
  const int64_t queued = course.head - head - distance(from, to);
  const double room = static_cast<double>(config_.buffer_bytes) * config_.vcs * course.routers * config_.ticks_per_byte;
  const int64_t held = config_.vcs > 0 ? std::max<int64_t>(0, queued - static_cast<int64_t>(room)) : 0;
  return {course.head, course.head + course.length + stalls(bytes), queued, held, course.routers};
}

}  // namespace hadal::network
