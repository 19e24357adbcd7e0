// Where cores sit.
#include "machine/timing/network.h"

#include <gtest/gtest.h>

#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using timing::Network;
using timing::Node;

TEST(Network, CoresOfAMeshAreNumberedInBlocksFromTheMiddle) {
  const Network square(mesh_chip(4, 4)), wide(mesh_chip(8, 8)), odd(mesh_chip(6, 2));
  EXPECT_EQ(square.hops(0, 3), 3);
  EXPECT_EQ(square.hops(3, 4), 4);
  for (Node a = 0; a < 16; ++a)  // The first sixteen are a square of any mesh.
    for (Node b = 0; b < 16; ++b) EXPECT_EQ(wide.hops(a, b), square.hops(a, b));
  EXPECT_EQ(wide.hops(0, 16), 4);              // The block beside it.
  EXPECT_EQ(wide.hops(0, wide.port(0)), 2);    // Two rows above it,
  EXPECT_EQ(wide.hops(0, 32), 2);              // where the blocks of the outer rows begin.
  EXPECT_EQ(wide.hops(12, wide.port(14)), 2);  // As many are below.
  EXPECT_EQ(odd.hops(0, 8), 4);
  EXPECT_EQ(odd.hops(8, 9), 1);  // What is left of the width is a block too.
  EXPECT_EQ(odd.hops(8, 10), 1);
}

TEST(Network, AMessageThatComesEarlyTakesAGap) {
  const chip::Chip chip = mesh_chip(2, 1);  // Links of 64 bytes a cycle, a cycle of a nanosecond.
  Network mesh(chip);
  const timing::Time cycle = timing::Cycles{chip.clock.hertz}.time(int64_t{1});
  const auto queued = [&](int64_t at, int64_t bytes) {
    return mesh.send(0, 1, bytes, at * cycle, Network::Class::demand).queued / cycle;
  };
  for (const int64_t at : {100, 200, 300}) EXPECT_EQ(queued(at, 640), 0);
  EXPECT_EQ(queued(0, 6400), 0);    // 0 to 100, before all.
  EXPECT_EQ(queued(150, 640), 0);   // 150 to 160,
  EXPECT_EQ(queued(145, 640), 15);  // which leaves no room before 160.
  EXPECT_EQ(queued(105, 2560), 5);  // 110 to 150.
  EXPECT_EQ(queued(0, 6400), 310);  // Behind all: from 210 to 300 is too short.
}

TEST(Network, DemandGoesBeforePrefetchesWhichPayForIt) {
  using Class = Network::Class;
  const chip::Chip chip = mesh_chip(2, 1);
  Network mesh(chip);
  const timing::Time cycle = timing::Cycles{chip.clock.hertz}.time(int64_t{1});
  const auto queued = [&](int64_t at, int64_t bytes, Class traffic) {
    return mesh.send(0, 1, bytes, at * cycle, traffic).queued / cycle;
  };
  EXPECT_EQ(queued(0, 6400, Class::prefetch), 0);   // 0 to 100.
  EXPECT_EQ(queued(10, 1280, Class::demand), 0);    // 10 to 30, and the link has twenty cycles more to do.
  EXPECT_EQ(queued(20, 640, Class::demand), 10);    // Behind demand: 30 to 40.
  EXPECT_EQ(queued(50, 640, Class::prefetch), 80);  // Behind all: 100 + 20 + 10.
  EXPECT_EQ(queued(300, 640, Class::demand), 0);    // A prefetch finds taken what demand took before it.
  EXPECT_EQ(queued(305, 640, Class::prefetch), 5);
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
