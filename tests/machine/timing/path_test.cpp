// The critical path of small programs whose causes are known.
#include "machine/timing/path.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "machine/timing/builder.h"

namespace hadal::machine {

namespace {

struct Path {
  int64_t cycles = 0;
  std::vector<Stretch> stretches;
  std::map<std::string, int64_t> spent = {};
};
Path path_of(Builder& builder, const chip::Chip& chip) {
  std::vector<Slice> slices;
  const Timing timing = timed(builder, chip, &slices);
  const isa::Program& program = builder.done();
  Path path{timing.cycles, critical_path(program, chip, timing, slices, releases_of(program, chip, slices))};
  int64_t at = 0;
  for (const Stretch& stretch : path.stretches) {
    EXPECT_EQ(stretch.begin, at);  // They join.
    EXPECT_GT(stretch.end, stretch.begin);
    path.spent[std::string(name_of(stretch.spent))] += stretch.end - stretch.begin;
    at = stretch.end;
  }
  EXPECT_EQ(at, timing.cycles);
  return path;
}

}  // namespace

TEST(CriticalPath, AnEmptyProgramIsItsLaunch) {
  chip::Chip chip = small_chip();
  chip.host.launch_femtoseconds = 50'000'000;
  Builder b;
  EXPECT_EQ(path_of(b, chip).spent, (std::map<std::string, int64_t>{{"launch", 50}}));
}

TEST(CriticalPath, OneInstruction) {
  Builder b;
  b.map(1600);  // 104 cycles.
  const Path path = path_of(b, small_chip());
  EXPECT_EQ(path.spent.at("vector"), 104);
  EXPECT_EQ(path.spent.at("issue"), path.cycles - 104);  // The launch takes nothing.
}

TEST(CriticalPath, AWaitLeadsToTheQueueThatSignalled) {
  for (const int64_t latency : {3, 30}) {
    chip::Chip chip = small_chip();
    chip.sequencer.signal_latency_cycles = latency;
    Builder b;
    const uint8_t full = b.semaphore("full", isa::Queue::vector);
    b.load(4096, 0, {.signals = {{full, 1}}});
    b.map(16, {.waits = {{full, 1}}});
    const Path path = path_of(b, chip);
    EXPECT_EQ(path.spent.at("signals"), latency);
    EXPECT_EQ(path.spent.at("vector"), 5);
    EXPECT_GT(path.spent.at("load"), 100);
  }
}

TEST(CriticalPath, TheLongerOfTwoBranchesIsOnIt) {
  for (const bool is_vector_longer : {false, true}) {
    Builder b;
    const uint8_t full = b.semaphore("full", isa::Queue::store);
    b.map(is_vector_longer ? 160'000 : 16, {.signals = {{full, 1}}});
    b.load(1 << 16, 0, {.signals = {{full, 1}}});
    b.store(64, 1 << 16, {.waits = {{full, 2}}});
    const Path path = path_of(b, small_chip());
    EXPECT_EQ(path.spent.contains("vector"), is_vector_longer);
    EXPECT_EQ(path.spent.contains("load"), !is_vector_longer);
    EXPECT_TRUE(path.spent.contains("store"));
  }
}

TEST(CriticalPath, TransfersOneBehindTheOtherShareTheTime) {
  Builder b;
  for (int i = 0; i < 4; ++i) b.load(1 << 16, static_cast<uint64_t>(i) << 16);
  const Path path = path_of(b, small_chip());
  std::map<uint32_t, int64_t> by_instruction;
  for (const Stretch& stretch : path.stretches)
    if (stretch.spent == Spent::load) by_instruction[stretch.instruction] += stretch.end - stretch.begin;
  ASSERT_EQ(by_instruction.size(), 4u);  // The queue moves them at one pace: each has its part.
  EXPECT_NEAR(static_cast<double>(by_instruction[3]), static_cast<double>(by_instruction[2]),
              0.05 * static_cast<double>(by_instruction[2]));
}

TEST(CriticalPath, AFullQueueLeadsToWhatFillsIt) {
  chip::Chip chip = small_chip();
  chip.sequencer.queue_depth = 1;
  Builder b;
  for (int i = 0; i < 4; ++i) b.map(1600);
  b.load(64);  // Issued late, behind three that found their queue full.
  const Path path = path_of(b, chip);
  EXPECT_GE(path.spent.at("vector"), 2 * 104);
}

}  // namespace hadal::machine
