// Sequencers, queues and semaphores: what each costs, by hand. Chip and notation: builder.h.
#include "machine/timing/builder.h"

namespace hadal::machine {
namespace {

using isa::Queue;

TEST(QueueTiming, AnInstructionIsIssuedAndRuns) {
  Builder b;
  b.map(160);
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + 10 + 4);
}

TEST(QueueTiming, ControlInstructionsTakeTheSequencersTime) {
  Builder b;
  b.let(0, 1);
  b.let(1, 2);
  b.map(160);
  EXPECT_EQ(cycles_of(b, small_chip()), 2 + 1 + 14);
  chip::Chip chip = small_chip();
  chip.sequencer.let_cycles = 0.25;  // Starts at the next edge of the clock.
  EXPECT_EQ(cycles_of(b, chip), 2 + 14);
}

TEST(QueueTiming, LaunchComesFirst) {
  Builder b;
  b.map(160);
  chip::Chip chip = small_chip();
  chip.host.launch_femtoseconds = 30'000'000;
  chip.host.link_latency_femtoseconds = 20'400'000;
  const Timing timing = timed(b, chip);
  EXPECT_EQ(timing.launch_cycles, 51);
  EXPECT_EQ(timing.cycles, 51 + 15);
}

TEST(QueueTiming, OneUnitRunsOneInstructionAtATime) {
  Builder b;
  b.map(160);
  b.map(160);
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + 14 + 14);
}

TEST(QueueTiming, AWaitTakesTheSignalsLatency) {
  Builder b;
  const uint8_t ready = b.semaphore("ready", Queue::vector);
  b.matmul(16, 16, 16, true, {.signals = {{ready, 1}}});
  b.map(160, {.waits = {{ready, 1}}});
  // Preload 8, 16 rows, fill 30, results out as they come; then the signal.
  const int64_t matmul = 1 + 8 + 16 + 30;
  EXPECT_EQ(cycles_of(b, small_chip()), matmul + 2 + 14);
  chip::Chip slow = small_chip();
  slow.sequencer.signal_latency_cycles = 20;
  EXPECT_EQ(cycles_of(b, slow), matmul + 20 + 14);
}

TEST(QueueTiming, ASyncAddsItsWaitAndNothingElse) {
  const auto program = [](bool with_sync) {
    Builder b;
    const uint8_t ready = b.semaphore("ready", Queue::vector);
    b.load(4096, 0, {.signals = {{ready, 1}}});
    if (with_sync) b.sync(Queue::vector, {.waits = {{ready, 1}}});
    b.map(160);
    return cycles_of(b, small_chip());
  };
  EXPECT_EQ(program(false), 175);          // The map is over long before the load.
  EXPECT_EQ(program(true), 175 + 2 + 14);  // Load's end, signal, map.
}

TEST(QueueTiming, ASyncSignalsInQueueOrder) {
  Builder b;
  const uint8_t ready = b.semaphore("ready", Queue::vector);
  b.matmul(16, 16, 16);
  b.sync(Queue::matrix, {.signals = {{ready, 1}}});
  b.map(160, {.waits = {{ready, 1}}});
  EXPECT_EQ(cycles_of(b, small_chip()), 1 + 54 + 2 + 14);
}

TEST(QueueTiming, AFullQueueStallsTheSequencer) {
  const auto program = [](int64_t depth) {
    Builder b;
    for (int i = 0; i < 4; ++i) b.map(1600);
    b.load(16384);
    chip::Chip chip = small_chip();
    chip.sequencer.queue_depth = depth;
    return cycles_of(b, chip);
  };
  // Depth 16: the load is issued at 5 and over before the maps. Depth 2: one map runs and two wait, so that the fourth
  // is issued when the second starts, and the load a cycle later. Depth 1: when the third starts.
  const int64_t map = 104, load = 10 + 100 + 256;
  EXPECT_EQ(program(16), 1 + 4 * map);
  EXPECT_EQ(program(2), 1 + map + 1 + load);
  EXPECT_EQ(program(1), 1 + 2 * map + 1 + load);
}

TEST(QueueTiming, PredicatedAndEmptyInstructionsOnlyWaitAndSignal) {
  Builder b;
  const uint8_t ready = b.semaphore("ready", Queue::vector);
  b.let(0, 0);
  b.load(4096, 0, {.signals = {{ready, 1}}}).predicate = 0;
  b.map(160, {.waits = {{ready, 1}}});
  const Timing timing = timed(b, small_chip());
  EXPECT_EQ(timing.cycles, 1 + 1 + 2 + 14);
  EXPECT_EQ(timing.bytes_read, 0);
  EXPECT_EQ(timing.executed.at(isa::Opcode::load), 1);

  Builder empty;
  empty.matmul(0, 16, 16);
  EXPECT_EQ(cycles_of(empty, small_chip()), 1);
}

TEST(QueueTiming, ALoopThatFitsItsBufferIsFetchedOnce) {
  const auto program = [](int64_t buffer) {
    Builder b;
    b.loop(0, 10);
    b.map(16);
    b.end();
    chip::Chip chip = small_chip();
    chip.sequencer.fetch_bytes_per_cycle = 16;
    chip.sequencer.fetch_latency_cycles = 50;
    chip.sequencer.instruction_buffer_bytes = buffer;
    return cycles_of(b, chip);
  };
  // The loop and the map are there at 50 + (loop + map) / 16 and take 1 + 1; from then on the lanes set the pace, 5
  // each.
  const int64_t units = (32 + 48) / 16;
  EXPECT_EQ(program(1 << 16), 50 + units + 2 + 10 * 5);
  // Nothing is kept: each of the nine jumps back pays the latency and the map's 48 bytes, and the `end` and issue
  // cycles.
  EXPECT_EQ(program(0), 50 + units + 2 + 9 * (50 + 3 + 2) + 5);
}

TEST(QueueTiming, AWaitThatIsNeverMetIsNamed) {
  Builder b;
  const uint8_t ready = b.semaphore("x.full", Queue::vector);
  b.load(64, 0, {.signals = {{ready, 1}}});
  b.map(160, {.waits = {{ready, 2}}});
  const auto timing = time_program(b.done(), small_chip(), {});
  ASSERT_FALSE(timing.ok());
  EXPECT_EQ(timing.error().code, "sync.C1");
  EXPECT_EQ(timing.error().message, "a wait is never met: semaphore x.full has 1 of 2 (core 0)");
  EXPECT_EQ(timing.error().place, "instruction 1 of first");
}

TEST(QueueTiming, TheBudgetEndsLongPrograms) {
  Builder b;
  b.loop(0, 1000);
  b.map(16);
  b.end();
  const auto timing = time_program(b.done(), small_chip(), {.instruction_budget = 999});
  ASSERT_FALSE(timing.ok());
  EXPECT_EQ(timing.error().code, "run.budget");
  EXPECT_TRUE(time_program(b.done(), small_chip(), {.instruction_budget = 1000}).ok());
}

TEST(QueueTiming, SignalsEverywhereCrossTheMesh) {
  const auto program = [](bool everywhere, int64_t cores) {
    Builder b;
    const uint8_t ready = b.semaphore("ready", Queue::vector);
    b.program.parameters.push_back({"core_id", 5, 0, 63});
    b.add(isa::Opcode::let, Queue::sequencer, {}).fields = {{6, false}, {8, false}, {5, true}, {0, false}};  // Core 0?
    b.map(160, {.signals = {{ready, 1, everywhere}}}).predicate = 6;
    b.sync(Queue::vector, {.waits = {{ready, static_cast<uint8_t>(everywhere ? cores : 1)}}});
    b.map(160);
    return cycles_of(b, mesh_chip(cores, 1));
  };
  EXPECT_EQ(program(false, 4), 2 + 14 + 2 + 14);
  EXPECT_EQ(program(true, 4), 2 + 14 + 2 + 3 + 14);  // Three hops to the far end.
}

}  // namespace
}  // namespace hadal::machine
