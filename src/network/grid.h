// Meshes and tori of two dimensions, and dimension-order routing on them.
#pragma once

#include <cstdint>

#include "network/random.h"

namespace hadal::network {

/// A place on a network. On a grid, node x + columns * y is the one at column x of row y.
using Node = uint32_t;

/// Ports of a grid's router: its four neighbours and its own node.
enum Port : uint8_t { east, west, south, north, local, ports };

/// The port that a link from port `out` ends in.
constexpr Port opposite(Port out) { return static_cast<Port>(out ^ 1); }

/// What is left of a way: signed hops along each dimension, columns first.
struct Way {
  int32_t x = 0, y = 0;
  /// Whether it leads to a smaller coordinate. Of the packets of one direction on a ring, those that cross the dateline
  /// between its last and its first node differ in that from those that do not.
  bool descends_x = false, descends_y = false;
  /// Whether the other direction is as short: one is drawn where the dimension begins.
  bool tied_x = false, tied_y = false;

  [[nodiscard]] int32_t hops() const { return (x < 0 ? -x : x) + (y < 0 ? -y : y); }
  /// Takes one hop, and returns the port that it leaves through: `local` at the end.
  Port take(Random& random);
};

struct Grid {
  int32_t columns = 1, rows = 1;
  bool torus = false;

  [[nodiscard]] uint32_t nodes() const { return static_cast<uint32_t>(columns * rows); }
  [[nodiscard]] int32_t x(Node node) const { return static_cast<int32_t>(node) % columns; }
  [[nodiscard]] int32_t y(Node node) const { return static_cast<int32_t>(node) / columns; }
  [[nodiscard]] Node at(int32_t x, int32_t y) const { return static_cast<Node>(x + columns * y); }
  /// The node behind a port other than `local`.
  [[nodiscard]] Node neighbour(Node node, Port port) const;
  /// The shortest way.
  [[nodiscard]] Way way(Node from, Node to) const;
};

}  // namespace hadal::network
