#include "network/router.h"

#include <bit>
#include <utility>

namespace hadal::network {

Router::Router(uint32_t vcs, uint32_t places, bool dateline)
    : vcs_(vcs),
      places_(places),
      dateline_(dateline),
      buffers_(size_t{ports} * vcs * places),
      inputs_(size_t{ports} * vcs),
      outputs_(size_t{ports} * vcs, Output{places}),
      vc_allocator_(ports * vcs, ports * vcs),
      switch_allocator_(ports, ports) {}

/// All stages see the state from before the cycle, and whom they serve, the next one serves in the next cycle. Who is
/// not served goes behind those that have come.
void Router::step(std::vector<Packet>& packets, Random& random, std::vector<Departure>& departures) {
  enqueue();
  request_vcs();
  request_switch();
  const size_t asked_vcs = allocating_.size(), asked_switch = switching_.size();
  compute_routes(packets, random);
  grant_vcs(asked_vcs);
  grant_switch(asked_switch, departures);
}

void Router::enqueue() {
  for (; latched_ != 0; latched_ &= latched_ - 1) {
    const auto port = static_cast<uint32_t>(std::countr_zero(latched_));
    const Flit& flit = latches_[port];
    const Index index = port * vcs_ + flit.vc;
    Input& input = inputs_[index];
    buffers_[index * places_ + (input.first + input.count) % places_] = flit;
    if (++input.count == 1) (input.active ? switching_ : routing_).push_back(index);
  }
}

void Router::request_vcs() {
  for (const Index index : allocating_) {
    const Input& input = inputs_[index];
    for (uint32_t vc = input.vcs_begin; vc < input.vcs_end; ++vc) {
      const uint32_t output = input.output * vcs_ + vc;
      if (!outputs_[output].taken) vc_allocator_.request(index, output);
    }
  }
}

/// Each input asks for an output on behalf of the virtual channel that is next in turn among those that want it.
void Router::request_switch() {
  for (auto& candidates : candidates_) candidates.fill(nobody);
  for (const Index index : switching_) {
    const Input& input = inputs_[index];
    if (outputs_[input.output * vcs_ + input.vc].credits == 0) continue;
    const uint32_t port = index / vcs_, first = port * vcs_ + next_vc_[port];
    Index& best = candidates_[port][input.output];
    if (best == nobody) switch_allocator_.request(port, input.output);
    if (best == nobody || turn(index, first, vcs_) < turn(best, first, vcs_)) best = index;
  }
}

void Router::compute_routes(std::vector<Packet>& packets, Random& random) {
  for (const Index index : routing_) {
    Input& input = inputs_[index];
    Packet& packet = packets[front(index).packet];
    ++packet.routers;
    input.output = packet.way.take(random);
    input.vcs_begin = 0;
    input.vcs_end = static_cast<uint8_t>(vcs_);
    if (dateline_ && input.output != local) {
      const bool along_x = input.output == east || input.output == west;
      const bool descends = along_x ? packet.way.descends_x : packet.way.descends_y;
      (descends ? input.vcs_begin : input.vcs_end) = static_cast<uint8_t>(vcs_ / 2);
    }
    allocating_.push_back(index);
  }
  routing_.clear();
}

void Router::grant_vcs(size_t asked) {
  for (const auto [index, output] : vc_allocator_.allocate()) {
    outputs_[output].taken = true;
    inputs_[index].vc = static_cast<uint8_t>(output % vcs_);
    inputs_[index].active = true;
  }
  for (size_t i = 0; i < asked; ++i) {
    const Index index = allocating_[i];
    (inputs_[index].active ? switching_ : allocating_).push_back(index);
  }
  allocating_.erase(allocating_.begin(), allocating_.begin() + static_cast<ptrdiff_t>(asked));
}

void Router::grant_switch(size_t asked, std::vector<Departure>& departures) {
  std::array<Index, ports> winners;
  winners.fill(nobody);
  for (const auto [port, output] : switch_allocator_.allocate()) winners[port] = candidates_[port][output];
  for (size_t i = 0; i < asked; ++i) {
    const Index index = switching_[i];
    if (winners[index / vcs_] == index) {
      departures.push_back(depart(index));
    } else {
      switching_.push_back(index);
    }
  }
  switching_.erase(switching_.begin(), switching_.begin() + static_cast<ptrdiff_t>(asked));
}

Router::Departure Router::depart(Index index) {
  const uint32_t port = index / vcs_, vc = index % vcs_;
  Input& input = inputs_[index];
  Flit flit = front(index);
  next_vc_[port] = vc + 1 == vcs_ ? 0 : vc + 1;
  input.first = input.first + 1 == places_ ? 0 : input.first + 1;
  --input.count;

  Output& output = outputs_[input.output * vcs_ + input.vc];
  --output.credits;
  flit.vc = input.vc;
  if (flit.tail) output.taken = input.active = false;
  if (input.count > 0) (flit.tail ? routing_ : switching_).push_back(index);
  return {static_cast<Port>(port), input.output, static_cast<uint8_t>(vc), flit};
}

}  // namespace hadal::network
