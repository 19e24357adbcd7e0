// A network of whole messages: each takes the links of its way one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "network/calendar.h"
#include "network/grid.h"
#include "network/loaded.h"

namespace hadal::network {

/// Times are in ticks, whose length is the user's choice.
struct FlowConfig {
  enum class Topology : uint8_t {
    none,      ///< Nothing is limited and nothing is far.
    grid,      ///< A mesh or a torus; a ring is a torus of one row. Dimension-order routing.
    crossbar,  ///< A link in and a link out a node, one hop apart.
  };
  Topology topology = Topology::none;
  Grid grid;                         ///< Routers, where the topology is a grid,
  std::vector<Node> router_of_node;  ///< and the one of each node; several nodes may share one.
  uint32_t crossbar_nodes = 0;
  /// Links between a router and its nodes: each router has one from its nodes and one to them. Without, they are no
  /// limit.
  bool terminal_links = false;

  double ticks_per_byte = 0;  ///< Of every link.
  int64_t entry_ticks = 0;    ///< From the first byte at the source until it is on the first link,
  int64_t hop_ticks = 0;      ///< from there until it is on the next one,
  int64_t exit_ticks = 0;     ///< and from the last link to the destination.

  /// What routers lose when messages meet; 0 virtual channels: nothing.
  uint32_t vcs = 0;
  int64_t buffer_bytes = 1;  ///< A virtual channel.
  /// From a byte's going into a buffer until its place can be filled again: a virtual channel moves its buffer once in
  /// it.
  int64_t credit_ticks = 0;
  /// What a head that finds another message's tail before it in its virtual channel takes for its route and its next
  /// channel, which the tail had behind it.
  int64_t head_ticks = 0;
  /// A queue gets a share of its link's bandwidth where an input has messages for several outputs: a switch allocator
  /// of one iteration leaves slots unused, and a link idles while all its virtual channels are blocked, each with this
  /// chance. Both figures are from the saturation of 8 x 8 meshes of iSLIP routers with 1 to 8 virtual channels
  /// (BookSim 2).
  double switch_share = 0.92, blocked_chance = 0.45;
};

/// Cut-through: a link is busy for the whole of a message, whose head is on the next one a hop later.
class FlowNetwork {
 public:
  /// Errors: network.grid, network.buffer, network.node.
  static Result<FlowNetwork> make(FlowConfig config);

  /// Hops when no one else is there.
  [[nodiscard]] int64_t hops(Node from, Node to) const;
  /// Ticks of the first byte between two nodes when no one else is there.
  [[nodiscard]] int64_t distance(Node from, Node to) const;

  struct Passage {
    int64_t head = 0, tail = 0;  ///< First and last byte at the destination.
    int64_t queued = 0;          ///< Part of it that was spent behind other messages,
    int64_t held = 0;            ///< and part of that which the buffers of the way have no room for: the source waits.
    int32_t routers = 0;
  };
  /// Sends `bytes` whose first is at `from` at `head`. Messages are to be sent in the order of these times, about.
  Passage send(Node from, Node to, int64_t bytes, int64_t head);
  /// Messages sent between these two are one, along a tree: each link takes it once.
  void open_tree() { tree_ = ++trees_; }
  void close_tree() { tree_ = 0; }

  /// Bytes times links, so far.
  [[nodiscard]] uint64_t hop_bytes() const { return hop_bytes_; }

 private:
  explicit FlowNetwork(FlowConfig config);

  struct Link {
    Calendar calendar;
    uint64_t tree = 0;      ///< The last tree that took it,
    int64_t tree_head = 0;  ///< and when its head passed.
  };
  /// A message on its way.
  struct Course {
    int64_t length = 0, head = 0, links = 0;
    int32_t routers = 0;
  };
  void walk(Node from, Node to, Course& course);
  void cross(Node from, Node to, Course& course);
  void pass(Link& link, double share, Course& course) const;
  [[nodiscard]] int64_t stalls(int64_t bytes) const;
  double share(Node router, Port input, Port output, int64_t length);

  FlowConfig config_;
  double usable_vcs_ = 0, link_share_ = 1, exit_share_ = 1;
  std::vector<Link> links_;       ///< [router][port], or [node][out, in].
  std::vector<uint8_t> outputs_;  ///< [router][port]: a bit an output that messages of this input have gone to.
  uint64_t tree_ = 0, trees_ = 0, hop_bytes_ = 0;
  Random random_{1};  ///< Decides between ways that are as short.
};

/// A flow network of a grid with a load on it; a byte is a flit.
class LoadedFlowNetwork : public Loaded {
 public:
  /// `ticks_per_cycle` of the network.
  LoadedFlowNetwork(FlowNetwork network, uint32_t nodes, Load load, int64_t ticks_per_cycle);
  [[nodiscard]] int64_t now() const override { return now_; }
  void run(int64_t cycles, std::vector<Delivery>& deliveries) override;
  [[nodiscard]] int64_t arrived_flits() const override { return arrived_packets_ * load_.packet_flits; }
  [[nodiscard]] Backlog backlog() const override;

 private:
  struct Source {
    Arrivals arrivals;
    int64_t free = 0;      ///< Ticks: from when it can send.
    bool waiting = false;  ///< A packet is in its queue.
  };
  struct Turn {
    int64_t time = 0;  ///< Ticks.
    Node node = 0;
    bool operator>(const Turn& other) const { return time != other.time ? time > other.time : node > other.node; }
  };
  void enqueue(Node node, int64_t end);
  void send(const Turn& turn);

  FlowNetwork network_;
  Load load_;
  int64_t ticks_per_cycle_, now_ = 0, arrived_packets_ = 0;
  Random random_;
  std::vector<Source> sources_;
  std::vector<Turn> turns_;          ///< A heap, next first.
  std::vector<Delivery> under_way_;  ///< A heap, next to arrive first.
};

}  // namespace hadal::network
