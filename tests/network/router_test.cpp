// One router and its parts.
#include "network/router.h"

#include <gtest/gtest.h>

#include "network/islip.h"
#include "network/random.h"

namespace hadal::network {
namespace {

/// The values that Knuth prints for his generators (The Art of Computer Programming, volume 2, 3rd edition,
/// section 3.6).
TEST(RandomNumbers, AreKnuths) {
  Random random(310952);
  constexpr int batches = 2009, used = 100;
  for (int i = 0; i < batches * used; ++i) {
    random.below(1);
    random.fraction();
  }
  EXPECT_EQ(random.below(1U << 30), 995235265U);
  EXPECT_NEAR(random.fraction(), 0.36410514377569680455, 1e-15);
}

TEST(Islip, ServesAllInTurn) {
  constexpr uint32_t inputs = 5;
  Islip allocator(inputs, 2);
  std::array<int, inputs> served{};
  for (int round = 0; round < 20; ++round) {
    for (uint32_t input = 0; input < inputs; ++input) allocator.request(input, 1);
    const auto matches = allocator.allocate();
    ASSERT_EQ(matches.size(), 1U);
    ++served[matches[0].input];
  }
  for (const int times : served) EXPECT_EQ(times, 4);
}

TEST(Islip, MatchesAnInputAndAnOutputOnce) {
  Islip allocator(3, 3);
  int matched = 0;
  for (int round = 0; round < 30; ++round) {
    for (uint32_t i = 0; i < 9; ++i) allocator.request(i / 3, i % 3);
    std::array<int, 3> inputs{}, outputs{};
    for (const auto [input, output] : allocator.allocate()) {
      EXPECT_EQ(++inputs[input], 1);
      EXPECT_EQ(++outputs[output], 1);
      ++matched;
    }
  }
  EXPECT_GE(matched, 30 * 3 - 3);  // Once the pointers have come apart, all ports are busy.
}

/// A router at the west end of a line: packets for the node two hops east.
struct Bench {
  explicit Bench(uint32_t vcs, uint32_t places) : router(vcs, places, false) {}
  Router router;
  std::vector<Packet> packets;
  Random random{1};

  void receive(Port port, uint8_t vc, uint32_t packet, bool head, bool tail) {
    if (packet >= packets.size()) packets.resize(packet + 1, Packet{0, 2, 2, Way{2, 0}});
    router.receive(port, {packet, vc, head, tail});
  }
  std::vector<Router::Departure> step() {
    std::vector<Router::Departure> departures;
    router.step(packets, random, departures);
    return departures;
  }
};

TEST(Router, PassesAHeadInTheThirdCycleAndFlitsBehindItOneACycle) {
  Bench bench(1, 4);
  bench.receive(local, 0, 0, true, false);
  EXPECT_TRUE(bench.step().empty());  // Route.
  bench.receive(local, 0, 0, false, true);
  EXPECT_TRUE(bench.step().empty());  // Virtual channel.
  ASSERT_EQ(bench.step().size(), 1U);
  const auto tail = bench.step();
  ASSERT_EQ(tail.size(), 1U);
  EXPECT_EQ(tail[0].output, east);
  EXPECT_TRUE(tail[0].flit.tail);
  EXPECT_TRUE(bench.router.idle());
}

TEST(Router, AFlitWaitsForACreditAndGoesInItsCycle) {
  Bench bench(1, 1);
  bench.receive(local, 0, 0, true, false);
  bench.step();
  bench.step();
  ASSERT_EQ(bench.step().size(), 1U);  // The only place behind the link is taken.
  bench.receive(local, 0, 0, false, true);
  for (int cycle = 0; cycle < 5; ++cycle) EXPECT_TRUE(bench.step().empty());
  bench.router.credit(east, 0);
  EXPECT_EQ(bench.step().size(), 1U);
}

TEST(Router, InputsThatWantOneOutputTakeTurns) {
  Bench bench(2, 64);
  for (uint32_t i = 0; i < 40; ++i) {
    bench.receive(local, 0, 0, i == 0, false);
    bench.receive(west, 0, 1, i == 0, false);
    bench.step();
  }
  std::array<int, ports> served{};
  for (int cycle = 0; cycle < 20; ++cycle) {
    const auto departures = bench.step();
    ASSERT_EQ(departures.size(), 1U);
    ++served[departures[0].input];
  }
  EXPECT_EQ(served[local], 10);
  EXPECT_EQ(served[west], 10);
}

}  // namespace
}  // namespace hadal::network
