// Networks of whole messages.
#include "network/flow_network.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hadal::network {
namespace {

/// A tick is a cycle, a link takes a byte a tick, a hop ten.
FlowConfig on_grid(int32_t columns, int32_t rows, bool torus = false) {
  FlowConfig config;
  config.topology = FlowConfig::Topology::grid;
  config.grid = {columns, rows, torus};
  config.router_of_node.resize(config.grid.nodes());
  std::iota(config.router_of_node.begin(), config.router_of_node.end(), Node{0});
  config.ticks_per_byte = 1;
  config.hop_ticks = config.exit_ticks = 10;
  return config;
}

FlowNetwork make(const FlowConfig& config) {
  auto network = FlowNetwork::make(config);
  EXPECT_TRUE(network.ok());
  return std::move(network).value();
}

TEST(Calendar, GivesGapsToWhoComesEarly) {
  Calendar calendar;
  EXPECT_EQ(calendar.free_from(100, 10), 100);
  calendar.take(100, 10);
  EXPECT_EQ(calendar.free_from(105, 10), 110);
  EXPECT_EQ(calendar.free_from(80, 10), 80);
  EXPECT_EQ(calendar.free_from(95, 10), 110);
  calendar.take(80, 10);
  EXPECT_EQ(calendar.free_from(85, 10), 90);
  EXPECT_EQ(calendar.free_from(0, 80), 0);
  EXPECT_EQ(calendar.free_from(0, 81), 110);
}

TEST(FlowNetwork, AMessageAloneTakesItsDistance) {
  FlowNetwork network = make(on_grid(4, 4));
  const auto passage = network.send(0, 15, 100, 7);
  EXPECT_EQ(passage.head, 7 + network.distance(0, 15));
  EXPECT_EQ(passage.head, 67);
  EXPECT_EQ(passage.tail, passage.head + 100);
  EXPECT_EQ(passage.queued, 0);
  EXPECT_EQ(network.hop_bytes(), 600U);
  EXPECT_EQ(network.send(3, 3, 100, 7).tail, 7);
}

TEST(FlowNetwork, MessagesWaitForEachOther) {
  FlowNetwork network = make(on_grid(4, 1));
  EXPECT_EQ(network.send(0, 3, 100, 0).queued, 0);
  EXPECT_EQ(network.send(1, 2, 100, 0).queued, 110);  // The other has the link from 10 to 110.
  EXPECT_EQ(network.send(3, 0, 100, 0).queued, 0);    // The other direction is free.
}

TEST(FlowNetwork, ARingIsATorusOfOneRow) {
  FlowNetwork network = make(on_grid(8, 1, true));
  EXPECT_EQ(network.hops(0, 7), 1);
  EXPECT_EQ(network.hops(0, 5), 3);
  EXPECT_EQ(network.send(0, 6, 1, 0).head, 20);
}

TEST(FlowNetwork, ATreeTakesEachLinkOnce) {
  FlowNetwork network = make(on_grid(4, 1));
  network.open_tree();
  EXPECT_EQ(network.send(0, 2, 100, 0).head, 20);
  EXPECT_EQ(network.send(0, 3, 100, 0).head, 30);
  network.close_tree();
  EXPECT_EQ(network.hop_bytes(), 300U);
  EXPECT_EQ(network.send(0, 1, 100, 0).queued, 100);
}

TEST(FlowNetwork, ACrossbarIsOneHop) {
  FlowConfig config;
  config.topology = FlowConfig::Topology::crossbar;
  config.crossbar_nodes = 4;
  config.ticks_per_byte = 1;
  config.exit_ticks = 10;
  FlowNetwork network = make(config);
  EXPECT_EQ(network.send(0, 3, 100, 0).head, 10);
  EXPECT_EQ(network.send(1, 3, 100, 0).queued, 100);
  EXPECT_EQ(network.send(1, 2, 100, 50).queued, 50);
  EXPECT_EQ(network.hop_bytes(), 300U);
}

TEST(FlowNetwork, QueuesLoseBandwidthWhereInputsBranch) {
  FlowConfig config = on_grid(3, 2);
  config.vcs = 1;
  config.buffer_bytes = 8;
  FlowNetwork network = make(config);
  network.send(0, 3, 100, 0);  // Node 0 sends south as well: its messages block each other.
  network.send(0, 1, 100, 200);
  EXPECT_EQ(network.send(0, 1, 100, 200).queued, 100);  // It found a queue, and holds the link longer.
  const auto third = network.send(0, 1, 100, 200);
  EXPECT_GT(third.queued, 250);
  EXPECT_EQ(third.held, third.queued - 2 * 8);  // Two routers' buffers.
}

TEST(FlowNetwork, RefusesNodesOffTheGrid) {
  FlowConfig config = on_grid(2, 2);
  config.router_of_node[1] = 4;
  EXPECT_EQ(FlowNetwork::make(config).error().code, "network.node");
}

}  // namespace
}  // namespace hadal::network
