#include "network/router.h"

#include <bit>

namespace hadal::network {

Router::Router(uint32_t vcs, uint32_t places, bool dateline)
    : vcs_(vcs),
      places_(places),
      dateline_(dateline),
      buffers_(size_t{ports} * vcs * places),
      inputs_(size_t{ports} * vcs),
      outputs_(size_t{ports} * vcs, Output{places, false}),
      vc_allocator_(ports * vcs, ports * vcs),
      switch_allocator_(ports, ports) {}

void Router::receive(Port port, Flit flit) {
  const uint32_t index = port * vcs_ + flit.vc;
  Input& input = inputs_[index];
  buffers_[index * places_ + (input.first + input.count) % places_] = flit;
  if (++input.count == 1) enter(input.active ? switching : routing, port, flit.vc);
}

/// Stages run last first, so that what one hands on is seen by the next in the next cycle; the outputs that tails free
/// are seen then as well.
void Router::step(std::vector<Packet>& packets, std::vector<Departure>& departures) {
  request_switch();
  allocate_vcs();
  compute_routes(packets);
  for (const auto [input, output] : switch_allocator_.allocate()) {
    departures.push_back(depart(input, static_cast<Port>(output)));
  }
}

/// Each input asks for an output on behalf of the virtual channel that is next in turn among those that want it.
void Router::request_switch() {
  for (uint32_t port = 0; port < ports; ++port) {
    const uint32_t waiting = waiting_in_[switching][port], before = (1U << next_vc_[port]) - 1;
    uint32_t asked = 0;
    for (const uint32_t turn : {waiting & ~before, waiting & before}) {
      for (uint32_t rest = turn; rest != 0; rest &= rest - 1) {
        const auto vc = static_cast<uint32_t>(std::countr_zero(rest));
        const Input& input = inputs_[port * vcs_ + vc];
        if ((asked >> input.output & 1U) != 0 || outputs_[input.output * vcs_ + input.vc].credits == 0) continue;
        asked |= 1U << input.output;
        candidate_[port][input.output] = static_cast<uint8_t>(vc);
        switch_allocator_.request(port, input.output);
      }
    }
  }
}

void Router::allocate_vcs() {
  for (uint32_t port = 0; port < ports; ++port) {
    for (uint32_t rest = waiting_in_[allocating][port]; rest != 0; rest &= rest - 1) {
      const uint32_t index = port * vcs_ + static_cast<uint32_t>(std::countr_zero(rest));
      const Input& input = inputs_[index];
      for (uint32_t vc = input.vcs_begin; vc < input.vcs_end; ++vc) {
        const uint32_t output = input.output * vcs_ + vc;
        if (!outputs_[output].taken) vc_allocator_.request(index, output);
      }
    }
  }
  for (const auto [index, output] : vc_allocator_.allocate()) {
    Input& input = inputs_[index];
    outputs_[output].taken = true;
    input.vc = static_cast<uint8_t>(output % vcs_);
    input.active = true;
    leave(allocating, index / vcs_, index % vcs_);
    enter(switching, index / vcs_, index % vcs_);
  }
}

void Router::compute_routes(std::vector<Packet>& packets) {
  for (uint32_t port = 0; port < ports; ++port) {
    for (uint32_t rest = waiting_in_[routing][port]; rest != 0; rest &= rest - 1) {
      const auto vc = static_cast<uint32_t>(std::countr_zero(rest));
      const uint32_t index = port * vcs_ + vc;
      Input& input = inputs_[index];
      Packet& packet = packets[buffers_[index * places_ + input.first].packet];
      ++packet.routers;
      input.output = packet.way.take();
      input.vcs_begin = 0;
      input.vcs_end = static_cast<uint8_t>(vcs_);
      if (dateline_ && input.output != local) {
        const bool wraps = input.output == east || input.output == west ? packet.way.wraps_x : packet.way.wraps_y;
        (wraps ? input.vcs_begin : input.vcs_end) = static_cast<uint8_t>(vcs_ / 2);
      }
      leave(routing, port, vc);
      enter(allocating, port, vc);
    }
  }
}

Router::Departure Router::depart(uint32_t port, Port output) {
  const uint32_t vc = candidate_[port][output], index = port * vcs_ + vc;
  Input& input = inputs_[index];
  next_vc_[port] = vc + 1 == vcs_ ? 0 : vc + 1;
  Flit flit = buffers_[index * places_ + input.first];
  input.first = input.first + 1 == places_ ? 0 : input.first + 1;
  --input.count;
  leave(switching, port, vc);

  Output& next = outputs_[output * vcs_ + input.vc];
  --next.credits;
  flit.vc = input.vc;
  if (flit.tail) next.taken = input.active = false;
  if (input.count > 0) enter(flit.tail ? routing : switching, port, vc);
  return {static_cast<Port>(port), output, static_cast<uint8_t>(vc), flit};
}

}  // namespace hadal::network
