#include "network/grid.h"

namespace hadal::network {

namespace {

/// Signed hops from `from` to `to` on a ring of `size`, or on a line.
int32_t displacement(int32_t from, int32_t to, int32_t size, bool ring, bool backwards_if_tied) {
  const int32_t straight = to - from;
  if (!ring) return straight;
  const int32_t forwards = (straight + size) % size, backwards = forwards - size;
  if (forwards + backwards == 0) return backwards_if_tied ? backwards : forwards;
  return forwards < -backwards ? forwards : backwards;
}

int32_t wrapped(int32_t coordinate, int32_t size) { return (coordinate + size) % size; }

}  // namespace

Port Way::take() {
  if (x > 0) return --x, east;
  if (x < 0) return ++x, west;
  if (y > 0) return --y, south;
  if (y < 0) return ++y, north;
  return local;
}

Node Grid::neighbour(Node node, Port port) const {
  const int32_t dx = port == east ? 1 : port == west ? -1 : 0, dy = port == south ? 1 : port == north ? -1 : 0;
  return at(wrapped(x(node) + dx, columns), wrapped(y(node) + dy, rows));
}

Way Grid::way(Node from, Node to, uint32_t choice) const {
  Way way;
  way.x = displacement(x(from), x(to), columns, torus, (choice & 1) != 0);
  way.y = displacement(y(from), y(to), rows, torus, (choice & 2) != 0);
  way.wraps_x = x(from) + way.x != x(to);
  way.wraps_y = y(from) + way.y != y(to);
  return way;
}

}  // namespace hadal::network
