#include "network/links.h"

#include <array>
#include <cmath>
#include <utility>

#include "base/suggest.h"

namespace hadal::network {

namespace {

constexpr uint32_t most_chips = 4096;
constexpr std::array<std::string_view, 3> names{"Ring", "FullyConnected", "Switch"};  // As in LinkTopology.

}  // namespace

Result<LinkTopology> link_topology(std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<LinkTopology>(i);
  }
  const std::string guess = did_you_mean(name, names);
  return Error{"links.topology",
               fmt::format("no topology \"{}\"", printable(name)),
               {},
               guess.empty() ? fmt::format("topologies: {}", fmt::join(names, ", ")) : guess};
}

Result<Links> Links::make(const LinkConfig& config) {
  if (config.chips < 1 || config.chips > most_chips) {
    return Error{"links.chips", fmt::format("{} chips", config.chips), {}, fmt::format("from 1 to {}", most_chips)};
  }
  if (!(config.bytes_per_ns > 0) || !std::isfinite(config.bytes_per_ns)) {
    return Error{"links.bandwidth", fmt::format("{} bytes a ns", config.bytes_per_ns), {}, "more than 0"};
  }
  if (!(config.latency_ns >= 0 && config.quantum_ns >= 0) || !std::isfinite(config.latency_ns + config.quantum_ns)) {
    return Error{
        "links.latency", fmt::format("{} ns in steps of {}", config.latency_ns, config.quantum_ns), {}, "0 or more"};
  }
  return Links(config);
}

Links::Links(const LinkConfig& config) : config_(config) {
  const size_t chips = config.chips;
  links_.resize(config.topology == LinkTopology::fully_connected ? chips * chips : chips * 2);
}

/// The chip, or the switch (behind the last chip), that a message goes to next.
Node Links::next(Node at, Node to) const {
  const Node chips = config_.chips;
  switch (config_.topology) {
    case LinkTopology::ring: {
      const Node up = (to + chips - at) % chips;
      return up <= chips - up ? (at + 1) % chips : (at + chips - 1) % chips;
    }
    case LinkTopology::switched:
      return at == chips ? to : chips;
    case LinkTopology::fully_connected:
      break;
  }
  return to;
}

size_t Links::link(Node from, Node to) const {
  const Node chips = config_.chips;
  switch (config_.topology) {
    case LinkTopology::ring:
      return size_t{from} * 2 + (to == (from + 1) % chips ? 0 : 1);
    case LinkTopology::switched:
      return from == chips ? size_t{to} * 2 + 1 : size_t{from} * 2;
    case LinkTopology::fully_connected:
      break;
  }
  return size_t{from} * chips + to;
}

double Links::cut(double ns) const {
  return config_.quantum_ns > 0 ? std::floor(ns / config_.quantum_ns) * config_.quantum_ns : ns;
}

void Links::after(double delay_ns, Done action) { queue_.push({now_ + delay_ns, events_++, std::move(action)}); }

void Links::send(Node from, Node to, double bytes, Done done) {
  uint32_t message = static_cast<uint32_t>(under_way_.size());
  if (free_.empty()) {
    under_way_.emplace_back();
  } else {
    message = free_.back();
    free_.pop_back();
  }
  under_way_[message] = {from, to, bytes, std::move(done)};
  ++messages_;
  forward(message);
}

void Links::forward(uint32_t number) {
  Message& message = under_way_[number];
  if (message.at == message.to) {
    const Done done = std::exchange(message.done, {});
    free_.push_back(number);
    if (done) done();
    return;
  }
  const Node to = next(message.at, message.to);
  const size_t along = link(message.at, to);
  message.at = to;
  if (links_[along].busy) {
    links_[along].waiting.push_back(number);
  } else {
    start(along, number);
  }
}

void Links::start(size_t along, uint32_t message) {
  links_[along].busy = true;
  const double busy = under_way_[message].bytes / config_.bytes_per_ns;
  after(cut(config_.latency_ns + busy), [this, message] { forward(message); });
  after(cut(busy), [this, along] {
    Link& link = links_[along];
    link.busy = false;
    if (link.waiting.empty()) return;
    const uint32_t next_message = link.waiting.front();
    link.waiting.pop_front();
    start(along, next_message);
  });
}

double Links::finish() {
  while (!queue_.empty()) {
    const Done action = queue_.top().action;
    now_ = queue_.top().time;
    queue_.pop();
    action();
  }
  return now_;
}

}  // namespace hadal::network
