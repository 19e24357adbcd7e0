// A router with virtual channels, cycle by cycle and flit by flit.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "network/grid.h"
#include "network/islip.h"
#include "network/random.h"

namespace hadal::network {

/// The unit of flow control: a link moves one a cycle.
struct Flit {
  uint32_t packet = 0;
  uint8_t vc = 0;  ///< Virtual channel on the link that it is on, or in the buffer that it is in.
  bool head = false, tail = false;
};

/// A packet under way. All its flits take the virtual channels that its head was given.
struct Packet {
  Node source = 0, destination = 0;
  uint32_t flits = 1;  ///< That have not arrived.
  Way way;             ///< What is left of it.
  int32_t routers = 0;
  int64_t created = 0, first = 0, injected = 0;  ///< As in Delivery.
};

/// An input-queued router (Dally and Towles, chapter 16). A head passes four stages of a cycle each: route computation,
/// allocation of a virtual channel of the next buffer, allocation of the switch, traversal of the switch; other flits
/// only the last two. Each input has a buffer a virtual channel. A flit needs a credit, a free place in the next
/// buffer, to ask for the switch. A virtual channel is free for the next packet as soon as a tail has been sent into
/// it.
class Router {
 public:
  static constexpr uint32_t most_vcs = 128;

  /// `vcs` virtual channels an input, `places` flits each. With `dateline`, packets that descend along a dimension use
  /// one half of its virtual channels and all others use the other half, so that no ring of waiting packets closes.
  Router(uint32_t vcs, uint32_t places, bool dateline);

  void receive(Port input, Flit flit) { latches_[input] = flit, latched_ |= 1U << input; }
  void credit(Port output, uint8_t vc) { ++outputs_[output * vcs_ + vc].credits; }

  /// A flit that won the switch in this cycle; it frees a place of virtual channel `freed` at its input.
  struct Departure {
    Port input, output;
    uint8_t freed;
    Flit flit;
  };
  /// One cycle. Appends what passes the switch in the next.
  void step(std::vector<Packet>& packets, Random& random, std::vector<Departure>& departures);
  /// Nothing to do until a flit arrives.
  [[nodiscard]] bool idle() const {
    return latched_ == 0 && routing_.empty() && allocating_.empty() && switching_.empty();
  }

 private:
  /// A virtual channel of an input, by port * vcs + number. It waits for one stage at a time.
  using Index = uint32_t;
  struct Input {
    uint32_t first = 0, count = 0;  ///< Its flits in the ring of places.
    Port output = local;
    uint8_t vc = 0;  ///< Of the output.
    bool active = false;
    uint8_t vcs_begin = 0, vcs_end = 0;  ///< Those of the output that it may be given.
  };
  struct Output {
    uint32_t credits = 0;
    bool taken = false;
  };

  [[nodiscard]] Flit& front(Index index) { return buffers_[index * places_ + inputs_[index].first]; }
  void enqueue();
  void request_vcs();
  void request_switch();
  void compute_routes(std::vector<Packet>& packets, Random& random);
  void grant_vcs(size_t asked);
  void grant_switch(size_t asked, std::vector<Departure>& departures);
  Departure depart(Index index);

  uint32_t vcs_, places_;
  bool dateline_;
  std::array<Flit, ports> latches_{};
  uint32_t latched_ = 0;                                 ///< A bit an input.
  std::vector<Flit> buffers_;                            ///< [port][vc][place]
  std::vector<Input> inputs_;                            ///< [port][vc]
  std::vector<Output> outputs_;                          ///< [port][vc]
  std::vector<Index> routing_, allocating_, switching_;  ///< Who waits for which stage, in order.
  Islip vc_allocator_, switch_allocator_;
  static constexpr Index nobody = UINT32_MAX;
  std::array<std::array<Index, ports>, ports> candidates_{};  ///< [input][output]: who asks.
  std::array<uint32_t, ports> next_vc_{};                     ///< Of each input, first in turn for the switch.
};

}  // namespace hadal::network
