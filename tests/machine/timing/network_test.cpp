// Where cores sit.
#include "machine/timing/network.h"

#include <gtest/gtest.h>

#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using timing::Network;
using timing::Node;

TEST(Network, CoresOfAMeshAreNumberedInStripsOfFourColumns) {
  const Network square(mesh_chip(4, 4)), wide(mesh_chip(8, 8)), odd(mesh_chip(6, 2));
  EXPECT_EQ(square.hops(0, 3), 3);
  EXPECT_EQ(square.hops(3, 4), 4);
  for (Node a = 0; a < 16; ++a)  // The first sixteen are a square of any mesh.
    for (Node b = 0; b < 16; ++b) EXPECT_EQ(wide.hops(a, b), square.hops(a, b));
  EXPECT_EQ(wide.hops(0, 32), 4);  // The next strip.
  EXPECT_EQ(odd.hops(0, 8), 4);
  EXPECT_EQ(odd.hops(8, 9), 1);  // What is left of the width is a strip too.
  EXPECT_EQ(odd.hops(8, 10), 1);
}

TEST(Network, PortsAreOnTheEdges) {
  const Network mesh(mesh_chip(8, 2));
  EXPECT_EQ(mesh.ports(), 4u);
  EXPECT_EQ(mesh.hops(mesh.port(0), 0), 0);
  EXPECT_EQ(mesh.hops(mesh.port(1), 0), 7);
  EXPECT_EQ(mesh.hops(mesh.port(2), 0), 1);
}

}  // namespace
}  // namespace hadal::machine
