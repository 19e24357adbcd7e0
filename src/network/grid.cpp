#include "network/grid.h"

namespace hadal::network {

namespace {

/// Signed hops from `from` to `to` on a ring of `size`, or on a line; forwards where both directions are as short.
int32_t displacement(int32_t from, int32_t to, int32_t size, bool ring) {
  const int32_t straight = to - from;
  if (!ring) return straight;
  const int32_t forwards = (straight + size) % size, backwards = forwards - size;
  return forwards <= -backwards ? forwards : backwards;
}

int32_t wrapped(int32_t coordinate, int32_t size) { return (coordinate + size) % size; }

/// Draws one of two directions that are as short.
void settle(bool& tied, int32_t& hops, Random& random) {
  if (tied && random.below(2) == 0) hops = -hops;
  tied = false;
}

}  // namespace

Port Way::take(Random& random) {
  if (x != 0) {
    settle(tied_x, x, random);
    return x > 0 ? (--x, east) : (++x, west);
  }
  if (y != 0) {
    settle(tied_y, y, random);
    return y > 0 ? (--y, south) : (++y, north);
  }
  return local;
}

Node Grid::neighbour(Node node, Port port) const {
  const int32_t dx = port == east ? 1 : port == west ? -1 : 0, dy = port == south ? 1 : port == north ? -1 : 0;
  return at(wrapped(x(node) + dx, columns), wrapped(y(node) + dy, rows));
}

Way Grid::way(Node from, Node to) const {
  Way way;
  way.x = displacement(x(from), x(to), columns, torus);
  way.y = displacement(y(from), y(to), rows, torus);
  way.descends_x = x(from) > x(to);
  way.descends_y = y(from) > y(to);
  way.tied_x = torus && way.x * 2 == columns;
  way.tied_y = torus && way.y * 2 == rows;
  return way;
}

}  // namespace hadal::network
