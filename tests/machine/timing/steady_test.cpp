// Steady loops: what is left out of them, held against running every trip.
#include <random>

#include "isa/sequencer.h"
#include "machine/timing/builder.h"
#include "machine/timing/repeats.h"
#include "machine/timing/steady.h"

namespace hadal::machine {
namespace {

using isa::Queue;

/// Both ways: with trips left out, and with all of them run.
struct Both {
  Timing some, all;
  std::vector<Slice> some_slices, all_slices;
  [[nodiscard]] double off() const { return static_cast<double>(some.cycles) / static_cast<double>(all.cycles) - 1; }
};

Both both(Builder& builder, const chip::Chip& chip) {
  Both both;
  const auto time = [&](bool extrapolate, std::vector<Slice>& slices) {
    auto timing = time_program(builder.done(), chip, {.slices = &slices, .extrapolate = extrapolate});
    EXPECT_TRUE(timing.ok()) << (timing.ok() ? "" : timing.error().text());
    auto without = time_program(builder.done(), chip, {.extrapolate = extrapolate});
    EXPECT_EQ(without->cycles, timing->cycles) << "asking for slices must change nothing";
    return timing.ok() ? *timing : Timing{};
  };
  both.some = time(true, both.some_slices);
  both.all = time(false, both.all_slices);
  EXPECT_EQ(both.all.extrapolated, 0);
  return both;
}

/// What does not depend on time is the same.
void expect_equal_counts(const Both& both) {
  EXPECT_EQ(both.some.executed, both.all.executed);
  EXPECT_EQ(both.some.macs, both.all.macs);
  auto some = both.some.events, all = both.all.events;
  EXPECT_NEAR(static_cast<double>(some["noc.hop_bytes"]), static_cast<double>(all["noc.hop_bytes"]),
              0.01 * static_cast<double>(all["noc.hop_bytes"]));
  some.erase("noc.hop_bytes");
  all.erase("noc.hop_bytes");
  EXPECT_EQ(some, all);
  ASSERT_EQ(both.some.layers.size(), both.all.layers.size());
  int64_t sum = 0;
  for (size_t i = 0; i < both.some.layers.size(); ++i) {
    const LayerTime &one = both.some.layers[i], &other = both.all.layers[i];
    sum += one.cycles;
    EXPECT_EQ(one.macs, other.macs);
    EXPECT_EQ(one.bytes_read, other.bytes_read);
    EXPECT_EQ(one.matrix_busy, other.matrix_busy);
    EXPECT_EQ(one.vector_busy, other.vector_busy);
    EXPECT_EQ(one.bound, other.bound) << i;
  }
  EXPECT_EQ(sum, both.some.cycles);
}

/// Every instruction of every core has its slice, and each queue takes one after another.
void expect_equal_slices(const Both& both) {
  ASSERT_EQ(both.some_slices.size(), both.all_slices.size());
  const auto by_order = [](std::vector<Slice> slices) {
    std::ranges::sort(slices, {}, [](const Slice& s) { return std::pair(s.core, s.order); });
    return slices;
  };
  const std::vector<Slice> some = by_order(both.some_slices), all = by_order(both.all_slices);
  const double most_off = 0.005 * static_cast<double>(both.all.cycles);
  for (size_t i = 0; i < some.size(); ++i) {
    ASSERT_EQ(some[i].core, all[i].core);
    ASSERT_EQ(some[i].order, all[i].order);
    ASSERT_EQ(some[i].instruction, all[i].instruction) << "core " << some[i].core << " order " << some[i].order;
    ASSERT_NEAR(static_cast<double>(some[i].begin), static_cast<double>(all[i].begin), most_off);
    ASSERT_NEAR(static_cast<double>(some[i].end), static_cast<double>(all[i].end), most_off);
  }
}

/// One trip of a pipeline: a tile of `bytes` comes in, is multiplied, and a result goes out; two buffers between each
/// two.
void pipeline(Builder& b, uint32_t bytes, uint32_t rows) {
  const auto id = [&](const char* name, Queue waiter, int32_t initial) {
    const auto known = std::ranges::find(b.program.semaphores, name, &isa::Semaphore::name);
    if (known != b.program.semaphores.end()) return static_cast<uint8_t>(known - b.program.semaphores.begin());
    return b.semaphore(name, waiter, initial);
  };
  const uint8_t full = id("full", Queue::matrix, 0), free = id("free", Queue::load, 2);
  const uint8_t made = id("made", Queue::store, 0), gone = id("gone", Queue::matrix, 2);
  b.next_tile = 0;
  b.load(bytes, 0, {.waits = {{free, 1}}, .signals = {{full, 1}}});
  b.matmul(rows, 16, 16, true, {.waits = {{full, 1}, {gone, 1}}, .signals = {{free, 1}, {made, 1}}});
  b.store(1024, 1 << 20, {.waits = {{made, 1}}, .signals = {{gone, 1}}});
}

TEST(Steady, ALoopBoundByTheArrayIsExact) {
  Builder b;
  b.loop(0, 8000);
  pipeline(b, 4096, 512);
  b.end();
  const Both timings = both(b, small_chip());
  EXPECT_GT(timings.some.extrapolated, 8000 * 3 / 2);
  EXPECT_EQ(timings.some.cycles, timings.all.cycles);
  expect_equal_counts(timings);
  expect_equal_slices(timings);
}

TEST(Steady, ALoopBoundByMemoryThatCoresShare) {
  Builder b;
  b.loop(0, 3000);
  pipeline(b, 16384, 16);
  b.end();
  b.layer("after");
  b.map(1600);
  const Both timings = both(b, mesh_chip(2, 2));
  EXPECT_GT(timings.some.extrapolated, 4 * 3000 * 3 / 2);
  EXPECT_NEAR(timings.off(), 0, 0.005);
  expect_equal_counts(timings);
  expect_equal_slices(timings);
}

TEST(Steady, TheOuterLoopOfANest) {
  Builder b;
  b.loop(0, 3000);
  b.loop(1, 7);
  pipeline(b, 8192, 100);
  b.end();
  b.map(3200);
  b.end();
  const Both timings = both(b, small_chip());
  EXPECT_GT(timings.some.extrapolated, 3000 * 22 / 2);
  EXPECT_NEAR(timings.off(), 0, 0.001);
  expect_equal_counts(timings);
  expect_equal_slices(timings);
}

TEST(Steady, BlocksOfStraightCodeTakeTheTimesOfTheirLayersFromOneAnother) {
  Builder b;
  for (int block = 0; block < 80; ++block) {
    b.layer("products" + std::to_string(block));
    b.loop(0, 100);
    pipeline(b, 8192, 256);
    b.end();
    b.layer("lanes" + std::to_string(block));
    b.map(16000);
  }
  const Both timings = both(b, mesh_chip(2, 1));
  EXPECT_GT(timings.some.extrapolated, timings.some.events.at("instructions") / 3);
  EXPECT_NEAR(timings.off(), 0, 0.005);
  expect_equal_counts(timings);
  expect_equal_slices(timings);
  for (size_t i = 1; i < timings.all.layers.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(timings.some.layers[i].begin), static_cast<double>(timings.all.layers[i].begin),
                0.005 * static_cast<double>(timings.all.cycles));
    EXPECT_NEAR(static_cast<double>(timings.some.layers[i].cycles), static_cast<double>(timings.all.layers[i].cycles),
                0.05 * static_cast<double>(timings.all.layers[i].cycles) + 20);
  }
}

TEST(Steady, WorkThatGrowsFromTripToTripIsRun) {
  Builder b;
  b.loop(0, 10'000);
  b.load(8192);
  b.map(10'000);
  b.program.views[b.program.code.back().operands[0]].extents[0].source = 0;
  b.program.views[b.program.code.back().operands[1]].extents[0].source = 0;
  b.end();
  const Both timings = both(b, small_chip());
  EXPECT_EQ(timings.some.extrapolated, 0);
  EXPECT_EQ(timings.some.cycles, timings.all.cycles);
}

TEST(Steady, ACountThatIsTakenAfterTheLoopIsNotLost) {
  Builder b;
  const uint8_t done = b.semaphore("done", Queue::vector);
  b.loop(0, 20'000);
  b.load(8192, 0, {.signals = {{done, 1}}});
  b.end();
  b.loop(0, 20'000);
  b.map(16, {.waits = {{done, 1}}});
  b.end();
  const Both timings = both(b, small_chip());
  EXPECT_EQ(timings.some.executed, timings.all.executed);
  EXPECT_NEAR(timings.off(), 0, 0.005);
}

/// A loop that finds 4,000 tiles at its start is fast until they are used up.
TEST(Steady, AReserveThatRunsDryIsNotTakenForASteadyState) {
  Builder b;
  const uint8_t full = b.semaphore("full", Queue::matrix, 4000), free = b.semaphore("free", Queue::load, 4);
  b.loop(0, 20'000);
  b.next_tile = 0;
  b.load(16384, 0, {.waits = {{free, 1}}, .signals = {{full, 1}}});
  b.matmul(250, 16, 16, true, {.waits = {{full, 1}}, .signals = {{free, 1}}});
  b.end();
  const Both timings = both(b, small_chip());
  EXPECT_NEAR(timings.off(), 0, 0.005);
}

TEST(Steady, AnErrorInALateTripIsFound) {
  Builder b;
  b.loop(0, 40'000);
  b.load(4096);
  isa::View& from = b.program.views[b.program.code.back().operands[1]];
  from.origins[0] = {.base = 0, .scale_a = 1, .scale_b = 0, .register_a = 0};
  b.program.tensors[from.tensor].extents[0] = 4096 + 39'000;
  b.end();
  const auto error = [&](bool extrapolate) {
    auto timing = time_program(b.done(), small_chip(), {.extrapolate = extrapolate});
    return timing.ok() ? "none" : timing.error().text();
  };
  EXPECT_EQ(error(true), error(false));
  EXPECT_NE(error(true), "none");
}

/// Loops, nests and blocks by chance: within half a percent, all counts equal.
TEST(Steady, RandomPrograms) {
  std::mt19937_64 random(11);
  const auto of = [&](int64_t from, int64_t to) { return static_cast<int64_t>(from + random() % (to - from + 1)); };
  int64_t extrapolated = 0;
  for (int round = 0; round < 20; ++round) {
    Builder b;
    const int64_t inner = of(1, 6), outer = of(500, 3000);
    const auto body = [&, bytes = static_cast<uint32_t>(64 * of(1, 400)), rows = static_cast<uint32_t>(of(1, 900)),
                       lanes = static_cast<uint32_t>(of(1, 9000))] {
      b.loop(1, inner);
      pipeline(b, bytes, rows);
      b.end();
      b.map(lanes);
    };
    if (round % 3 == 0) {
      for (int block = 0; block < 40; ++block) {
        b.layer("block" + std::to_string(block));
        b.loop(0, 60);
        body();
        b.end();
      }
    } else {
      b.loop(0, outer);
      body();
      b.end();
    }
    const Both timings = both(b, mesh_chip(of(1, 3), of(1, 2)));
    EXPECT_NEAR(timings.off(), 0, 0.005) << "round " << round;
    EXPECT_EQ(timings.some.executed, timings.all.executed);
    EXPECT_EQ(timings.some.bytes_read, timings.all.bytes_read);
    expect_equal_slices(timings);
    extrapolated += timings.some.extrapolated > 0 ? 1 : 0;
  }
  EXPECT_GE(extrapolated, 10);
}

std::vector<timing::Repeat> repeats_of(Builder& b) {
  auto walk = isa::Walk::of(b.done());
  EXPECT_TRUE(walk.ok());
  return timing::repeats_of(*walk, timing::signatures_of(b.program), timing::Steady::fewest_trips);
}

TEST(Repeats, BlocksOfEqualInstructionsAtOtherAddresses) {
  Builder b;
  b.map(16);
  for (uint64_t block = 0; block < 12; ++block) {
    b.load(4096, block * 4096);
    b.loop(0, 4);
    b.map(160);
    b.matmul(16, 16, 16);
    b.end();
    for (int i = 0; i < 4; ++i) b.store(64, block * 64);
  }
  b.map(32);
  EXPECT_EQ(repeats_of(b), (std::vector<timing::Repeat>{{.first = 1, .length = 9, .count = 12}}));
}

TEST(Repeats, OtherSizesSemaphoresOrTripsAreNoRepeat) {
  Builder b;
  const uint8_t one = b.semaphore("one", Queue::load, 1000), other = b.semaphore("other", Queue::load, 1000);
  for (uint32_t block = 0; block < 12; ++block) {
    b.loop(0, 1 + block % 2);
    for (int i = 0; i < 8; ++i) b.load(64 * (1 + block / 2 % 2), 0, {.waits = {{block / 4 % 2 == 0 ? one : other, 1}}});
    b.end();
  }
  EXPECT_TRUE(repeats_of(b).empty());
}

}  // namespace
}  // namespace hadal::machine
