// The network between cores and memory: who sits where, and when a message has passed all links of its route.
#pragma once

#include <cstdint>
#include <vector>

#include "chip/chip.h"
#include "machine/timing/time.h"
#include "network/calendar.h"

namespace hadal::machine::timing {

/// A place on the network: core i is node i, memory port p is node cores + p.
using Node = uint32_t;

/// A mesh numbers its cores in blocks of four by four, the rows in the middle first: cores with numbers in a row are
/// neighbours whatever the size, and those of a program for fewer cores near to all memory. Messages go along their
/// row, then along the column (XY), and memory ports sit on the routers of the left and right edge in turn. A crossbar
/// gives every node a link in and a link out, one hop apart, and every memory channel a port. Without a topology
/// nothing is limited and nothing is far.
class Network {
 public:
  explicit Network(const chip::Chip& chip);

  [[nodiscard]] uint32_t ports() const { return ports_; }
  [[nodiscard]] Node port(uint32_t number) const { return cores_ + number; }
  [[nodiscard]] int64_t hops(Node from, Node to) const;
  /// Time of the first byte between two nodes when no one else is there.
  [[nodiscard]] Time distance(Node from, Node to) const { return hops(from, to) * hop_; }

  struct Passage {
    Time head = 0, tail = 0;  ///< First and last byte at the destination.
    Time queued = 0;          ///< Part of it that was spent behind other messages.
  };
  /// Two virtual channels: what an engine waits for goes before what is fetched ahead.
  enum class Class : uint8_t { demand, prefetch };
  /// Sends `bytes` whose first is at `from` at time `head`: cut-through, each link busy for the whole message.
  Passage send(Node from, Node to, int64_t bytes, Time head, Class traffic);
  /// Messages sent between these two are one, along a tree: each link takes it once.
  void open_tree() { tree_ = ++trees_; }
  void close_tree() { tree_ = 0; }

  /// Bytes times hops, so far.
  [[nodiscard]] uint64_t hop_bytes() const { return hop_bytes_; }
  void add_hop_bytes(uint64_t bytes) { hop_bytes_ += bytes; }

 private:
  enum class Topology : uint8_t { none, mesh, crossbar };
  struct Place {
    int32_t x = 0, y = 0;
    bool operator==(const Place&) const = default;
  };
  bool pass(size_t link, Time length, Class traffic, Time& head);

  Topology topology_ = Topology::none;
  uint32_t cores_ = 1, ports_ = 1;
  int32_t columns_ = 1;
  Time hop_ = 0;
  Rate rate_;
  std::vector<Place> places_;
  struct Link {
    network::Calendar demand;  ///< Its demand traffic alone,
    network::Calendar all;     ///< and all.
    uint64_t tree = 0;         ///< The last tree that took it,
    Time tree_head = 0;        ///< and when its head passed.
  };
  std::vector<Link> links_;  ///< 4 a router of a mesh, 2 a node of a crossbar.
  uint64_t tree_ = 0, trees_ = 0;
  uint64_t hop_bytes_ = 0;
};

}  // namespace hadal::machine::timing
