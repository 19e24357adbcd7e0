// What is told about a run: layers, counts, slices; and what may not depend on anything but program and chip.
#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using isa::Queue;

/// Loads, multiplies, adds and stores in a pipeline, in two layers.
Builder pipeline() {
  Builder b;
  const uint8_t full = b.semaphore("full", Queue::matrix), free = b.semaphore("free", Queue::load, 2);
  const uint8_t summed = b.semaphore("summed", Queue::vector), out = b.semaphore("out", Queue::store);
  b.loop(0, 20);
  b.load(8192, 0, {.waits = {{free, 1}}, .signals = {{full, 1}}});
  b.matmul(64, 64, 16, true, {.waits = {{full, 1}}, .signals = {{free, 1}, {summed, 1}}});
  b.layer("second");
  b.map(1024, {.waits = {{summed, 1}}, .signals = {{out, 1}}});
  b.store(4096, 1 << 20, {.waits = {{out, 1}}});
  b.end();
  return b;
}

TEST(ReportTiming, LayersSumToTheTotal) {
  Builder b = pipeline();
  const Timing timing = timed(b, mesh_chip(2, 2));
  ASSERT_EQ(timing.layers.size(), 2u);
  EXPECT_EQ(timing.layers[0].cycles + timing.layers[1].cycles, timing.cycles);
  EXPECT_EQ(timing.layers[1].end, timing.cycles);
  EXPECT_EQ(timing.layers[0].macs, 4u * 20 * 64 * 64 * 16);
  EXPECT_EQ(timing.layers[0].bytes_read, 4u * 20 * 8192);
  EXPECT_EQ(timing.layers[1].bytes_written, 4u * 20 * 4096);
  EXPECT_EQ(timing.layers[0].matrix_busy, 20 * 4 * 64);
  EXPECT_EQ(timing.layers[1].vector_busy, 20 * (64 + 4));
  EXPECT_EQ(timing.layers[0].bound, Bound::memory);  // Four cores' loads and one memory.
}

TEST(ReportTiming, InstructionsAreCountedOnAllCores) {
  Builder b = pipeline();
  const Timing timing = timed(b, mesh_chip(2, 2));
  EXPECT_EQ(timing.executed.at(isa::Opcode::matmul), 80u);
  EXPECT_EQ(timing.executed.count(isa::Opcode::loop), 0u);
  EXPECT_EQ(timing.events.at("instructions"), 320u);
  EXPECT_EQ(timing.events.at("vector.operations"), 80u * 1024);
}

TEST(ReportTiming, RunsAreAlike) {
  Builder b = pipeline();
  std::vector<Slice> first, second;
  const Timing one = timed(b, mesh_chip(4, 4), &first), two = timed(b, mesh_chip(4, 4), &second);
  EXPECT_EQ(one.cycles, two.cycles);
  EXPECT_EQ(one.events, two.events);
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].begin, second[i].begin);
    EXPECT_EQ(first[i].core, second[i].core);
  }
  EXPECT_EQ(timed(b, mesh_chip(4, 4)).cycles, one.cycles);  // Nor does looking change them.
}

/// A program whose order is legal ends on every chip: no depth, latency or rate can block it.
TEST(ReportTiming, NoTimingDeadlocks) {
  for (const int64_t depth : {1, 2, 16})
    for (const int64_t outstanding : {1, 3})
      for (const int64_t latency : {0, 1, 1000})
        for (const std::string topology : {"mesh", "crossbar", "none"}) {
          chip::Chip chip = mesh_chip(3, 2);
          chip.network.topology = topology;
          chip.sequencer.queue_depth = depth;
          chip.dma.outstanding = outstanding;
          chip.sequencer.signal_latency_cycles = latency;
          chip.memory.latency_femtoseconds = latency * 777'777;
          Builder b = pipeline();
          EXPECT_EQ(timed(b, chip).macs, 6u * 20 * 64 * 64 * 16);
        }
}

TEST(ReportTiming, TwiceTheSpeedIsHalfTheTime) {
  Builder b = pipeline();
  const chip::Chip chip = mesh_chip(2, 2), fast = chip::scaled(chip, 2);
  const Timing slow = timed(b, chip), quick = timed(b, fast);
  EXPECT_EQ(slow.cycles, quick.cycles);
  EXPECT_DOUBLE_EQ(chip.seconds(static_cast<double>(slow.cycles)), 2 * fast.seconds(static_cast<double>(quick.cycles)));
}

TEST(ReportTiming, SlicesTellStalls) {
  Builder b;
  const uint8_t ready = b.semaphore("ready", Queue::vector);
  b.load(4096, 0, {.signals = {{ready, 1}}});
  b.map(160, {.waits = {{ready, 1}}});
  std::vector<Slice> slices;
  timed(b, small_chip(), &slices);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[0].queue, Queue::load);
  EXPECT_EQ(slices[0].begin, 1);
  EXPECT_EQ(slices[0].end, 175);
  EXPECT_EQ(slices[1].waited_from, 2);
  EXPECT_EQ(slices[1].begin, 177);
  EXPECT_EQ(slices[1].end, 191);
}

}  // namespace
}  // namespace hadal::machine
