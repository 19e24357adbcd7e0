// Links between chips, and collectives on them.
#include "network/links.h"

#include <gtest/gtest.h>

#include "network/chunked.h"
#include "network/collectives.h"

namespace hadal::network {
namespace {

/// A byte a ns, 100 ns a link.
Links make(LinkTopology topology, uint32_t chips, double quantum_ns = 0) {
  auto links = Links::make({topology, chips, 1, 100, quantum_ns});
  EXPECT_TRUE(links.ok());
  return std::move(links).value();
}

double run(LinkTopology topology, uint32_t chips, std::string_view name, double bytes) {
  Links links = make(topology, chips);
  collective(name).value().start(links, bytes);
  return links.finish();
}

TEST(Links, StoreAndForwardMessagesWhole) {
  Links links = make(LinkTopology::ring, 8);
  links.send(0, 3, 1000);
  EXPECT_EQ(links.finish(), 3 * 1100);
}

TEST(Links, GoTheShorterWayRoundARing) {
  Links links = make(LinkTopology::ring, 8);
  links.send(1, 7, 1000);
  EXPECT_EQ(links.finish(), 2 * 1100);
}

TEST(Links, AreFreeForTheNextOnceTheBytesAreIn) {
  Links links = make(LinkTopology::fully_connected, 2);
  links.send(0, 1, 1000);
  links.send(0, 1, 1000);
  links.send(1, 0, 500);
  EXPECT_EQ(links.finish(), 2100);
}

TEST(Links, CutTimesToTheQuantum) {
  Links links = make(LinkTopology::switched, 2, 8);
  links.send(0, 1, 30);
  EXPECT_EQ(links.finish(), 2 * 128);
}

TEST(Links, RunWhatArrivalsTrigger) {
  Links links = make(LinkTopology::ring, 4);
  double arrived = 0, later = 0;
  links.send(0, 1, 50, [&] {
    arrived = links.now();
    links.after(7, [&] { later = links.now(); });
  });
  links.finish();
  EXPECT_EQ(arrived, 150);
  EXPECT_EQ(later, 157);
}

TEST(Collectives, TakeTheirStepsOnRings) {
  for (const auto topology : {LinkTopology::ring, LinkTopology::fully_connected}) {
    EXPECT_EQ(run(topology, 4, "ring_all_gather", 4000), 3 * 1100);
    EXPECT_EQ(run(topology, 4, "ring_all_reduce", 4000), 6 * 1100);
  }
  EXPECT_EQ(run(LinkTopology::switched, 4, "ring_all_gather", 4000), 3 * 2200);
}

TEST(Collectives, AllToAllTakesTheLoadOfALink) {
  EXPECT_EQ(run(LinkTopology::fully_connected, 8, "all_to_all_burst", 1000), 1100);
  EXPECT_EQ(run(LinkTopology::switched, 8, "all_to_all_rotated", 1000), 8 * 1000 + 200);
  EXPECT_GT(run(LinkTopology::switched, 8, "all_to_all_burst", 1000), 8 * 1000 + 200);
}

TEST(Collectives, OfOneChipAreDone) { EXPECT_EQ(run(LinkTopology::ring, 1, "ring_all_reduce", 1000), 0); }

/// 4 chips, steps of 1000 bytes a chunk; 10 ns at the chip before the first and after each; a sum of 1000 bytes
/// takes 30.
double run_chunks(Operation operation, uint32_t chunks, uint32_t active) {
  Links links = make(LinkTopology::ring, 4);
  return run_chunked(links, {operation, Algorithm::ring, 4000.0 * chunks, chunks, active, 10, 100}).value();
}

TEST(ChunkedCollectives, PayAtTheChipsAndOverlap) {
  const double alone = run_chunks(Operation::reduce_scatter, 1, 1);
  EXPECT_EQ(alone, 10 + 3 * (1100 + 10 + 30));
  EXPECT_EQ(run_chunks(Operation::all_reduce, 1, 1), 10 + 6 * (1100 + 10) + 3 * 30);
  EXPECT_EQ(run_chunks(Operation::reduce_scatter, 2, 1), 2 * alone);
  EXPECT_EQ(run_chunks(Operation::reduce_scatter, 2, 2), 10 + 6 * 1000 + 100 + 10 + 30);  // The link is never idle.
}

TEST(ChunkedCollectives, RefuseWhatAnAlgorithmCannot) {
  Links links = make(LinkTopology::ring, 6);
  EXPECT_EQ(run_chunked(links, {Operation::all_reduce, Algorithm::halving_doubling, 6000}).error().code,
            "collective.chips");
  EXPECT_EQ(run_chunked(links, {Operation::all_reduce, Algorithm::ring, 6000, 0}).error().code, "collective.chunks");
}

TEST(Collectives, NamesAreKnownOrRefused) {
  EXPECT_EQ(collective("ring_all_reduc").error().remedy, "did you mean \"ring_all_reduce\"?");
  EXPECT_EQ(link_topology("Star").error().code, "links.topology");
  EXPECT_EQ(Links::make({LinkTopology::ring, 0}).error().code, "links.chips");
  EXPECT_EQ(Links::make({LinkTopology::ring, 4, 0}).error().code, "links.bandwidth");
}

}  // namespace
}  // namespace hadal::network
