// Grids of routers, flit by flit.
#include <gtest/gtest.h>

#include "network/flit_network.h"
#include "network/measure.h"

namespace hadal::network {
namespace {

FlitNetwork make(const FlitConfig& config) {
  auto network = FlitNetwork::make(config);
  EXPECT_TRUE(network.ok());
  return std::move(network).value();
}

FlitConfig mesh(int32_t columns, int32_t rows) { return {.grid = {columns, rows, false}}; }
FlitConfig torus(int32_t columns, int32_t rows) { return {.grid = {columns, rows, true}, .link_cycles = 2}; }

/// Latency of a packet that is alone.
int64_t alone(const FlitConfig& config, Node from, Node to, uint32_t flits) {
  FlitNetwork network = make(config);
  network.offer(from, to, flits, 0);
  std::vector<Delivery> deliveries;
  Random random(1);
  for (int cycle = 0; cycle < 5000 && deliveries.empty(); ++cycle) network.step(random, deliveries);
  return deliveries.empty() ? -1 : deliveries[0].arrived;
}

/// Four stages and a link a router; the links to and from the nodes; the flits behind the head.
TEST(FlitNetwork, LatencyWithoutLoadIsTheFormula) {
  for (const uint32_t flits : {1U, 4U, 20U}) {
    for (const Node to : {0U, 1U, 7U, 31U, 18U}) {
      const int32_t routers = Grid{8, 4, false}.way(0, to).hops() + 1;
      EXPECT_EQ(alone(mesh(8, 4), 0, to, flits), 5 * routers + 2 + flits - 1) << to;
      const int32_t wrapped = Grid{8, 4, true}.way(0, to).hops() + 1;
      EXPECT_EQ(alone(torus(8, 4), 0, to, flits), 6 * wrapped - 1 + 2 + flits - 1) << to;
    }
  }
}

TEST(FlitNetwork, TorusWaysAreTheShorterOnes) {
  const Grid grid{8, 8, true};
  EXPECT_EQ(grid.way(0, 7).x, -1);
  EXPECT_EQ(grid.way(0, 3).x, 3);
  EXPECT_EQ(grid.way(7, 0).x, 1);
  EXPECT_TRUE(grid.way(0, 4).tied_x);
  EXPECT_EQ(grid.way(grid.at(2, 1), grid.at(2, 6)).y, -3);
}

/// A buffer shorter than the way of its credits: a flit a place each round trip.
TEST(FlitNetwork, CreditsBoundTheRateOfALink) {
  FlitConfig config = mesh(2, 1);
  config.vcs = 1;
  config.buffer_flits = 2;
  const int64_t flits = 400;
  const int64_t latency = alone(config, 0, 1, static_cast<uint32_t>(flits));
  constexpr int64_t round_trip = 6;  // Switch, link, next switch, link back, credit.
  EXPECT_NEAR(static_cast<double>(latency), static_cast<double>(flits * round_trip / 2), 30);
}

/// Everything that was offered arrives once the sources stop, however small the buffers: no ring of packets waits.
TEST(FlitNetwork, ConservesFlitsAndNeverLocksUp) {
  for (const FlitConfig& shape : {torus(4, 4), torus(8, 1), torus(5, 3), mesh(4, 4)}) {
    FlitConfig config = shape;
    config.vcs = 2;
    config.buffer_flits = 1;
    FlitNetwork network = make(config);
    Random random(3);
    std::vector<Delivery> deliveries;
    size_t offered = 0;
    constexpr uint32_t flits = 5;
    for (int cycle = 0; cycle < 5000; ++cycle) {
      for (Node node = 0; node < config.grid.nodes() && cycle < 3000; ++node) {
        if (!network.queue_empty(node)) continue;
        network.offer(node, random.below(config.grid.nodes()), flits, network.now());
        ++offered;
      }
      network.step(random, deliveries);
    }
    EXPECT_GT(offered, 300U);
    EXPECT_EQ(deliveries.size(), offered);
    EXPECT_EQ(network.injected_flits(), static_cast<int64_t>(offered * flits));
    EXPECT_EQ(network.ejected_flits(), network.injected_flits());
    EXPECT_EQ(network.backlog().flits, 0);
  }
}

Measured run(double offered, uint32_t seed) {
  const FlitConfig config = mesh(4, 4);
  auto traffic = Traffic::named("uniform", config.grid);
  EXPECT_TRUE(traffic.ok());
  LoadedFlitNetwork loaded(make(config), {std::move(traffic).value(), 4, offered, seed});
  return measure(loaded, config.grid.nodes());
}

TEST(FlitNetwork, ASeedDecidesEverything) {
  const Measured a = run(0.3, 1), b = run(0.3, 1), c = run(0.3, 2);
  EXPECT_EQ(a.packet_latency, b.packet_latency);
  EXPECT_EQ(a.accepted, b.accepted);
  EXPECT_EQ(a.cycles, b.cycles);
  EXPECT_NE(a.packet_latency, c.packet_latency);
}

TEST(FlitNetwork, SaturatesWhereMoreIsOfferedThanItTakes) {
  EXPECT_FALSE(run(0.5, 1).saturated);
  const Measured much = run(0.95, 1);
  EXPECT_TRUE(much.saturated);
  EXPECT_LT(much.accepted, 0.8);
}

TEST(FlitNetwork, NoLoadMeasuresNothing) {
  const Measured nothing = run(0, 1);
  EXPECT_EQ(nothing.accepted, 0);
  EXPECT_EQ(nothing.packet_latency, 0);
  EXPECT_FALSE(nothing.saturated);
}

TEST(FlitNetwork, RefusesWhatCannotBe) {
  FlitConfig config = torus(4, 4);
  config.vcs = 1;
  EXPECT_EQ(FlitNetwork::make(config).error().code, "network.vcs");
  config = mesh(0, 4);
  EXPECT_EQ(FlitNetwork::make(config).error().code, "network.grid");
  config = mesh(4, 4);
  config.buffer_flits = 0;
  EXPECT_EQ(FlitNetwork::make(config).error().code, "network.buffer");
}

TEST(Traffic, Patterns) {
  const Grid grid{4, 4, false};
  Random random(1);
  const auto to = [&](std::string_view pattern, Node from) {
    return Traffic::named(pattern, grid).value().destination(from, random);
  };
  EXPECT_EQ(to("transpose", 1), 4U);
  EXPECT_EQ(to("bitcomp", 1), 14U);
  EXPECT_EQ(to("neighbor", 3), 4U);
  EXPECT_EQ(to("shuffle", 9), 3U);
  EXPECT_EQ(to("tornado", 0), 5U);
  EXPECT_LT(to("uniform", 0), 16U);
  EXPECT_EQ(Traffic::named("bitcomp", {3, 4, false}).error().code, "traffic.grid");
  EXPECT_EQ(Traffic::named("transpose", {2, 4, false}).error().code, "traffic.grid");
  EXPECT_EQ(Traffic::named("unifrom", grid).error().remedy, "did you mean \"uniform\"?");
}

}  // namespace
}  // namespace hadal::network
