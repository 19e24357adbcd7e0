// Transfers: when they end alone and together, and that the fast model ends them when the exact one does.
#include "memory/memory.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "memory/files.h"

namespace hadal::memory {
namespace {

Memory make(const std::string& name, Memory::Mode mode = Memory::Mode::exact) {
  auto memory = Memory::make(*load_memory(name), mode);
  EXPECT_TRUE(memory.ok());
  return std::move(memory).value();
}
Transfer run(uint64_t address, int64_t bytes, Tick at, bool write = false) { return {address, bytes, 0, 1, write, at}; }

TEST(Memory, IdleLatencies) {
  Memory hbm2 = make("hbm2-2000");
  EXPECT_EQ(hbm2.access(run(0, 32, 100)), 132);  // Closed row: 1 + 15 + 16.
  EXPECT_EQ(hbm2.access(run(0, 32, 200)), 217);  // Row hit: 1 + 16.
  Memory hbm3 = make("hbm3-6400");
  EXPECT_EQ(hbm3.access(run(0, 32, 100)), 209);  // In half clocks: 1 + 64 + 44.
  EXPECT_EQ(hbm3.access(run(0, 32, 400)), 445);  // 1 + 44.
  Memory two_level = make("hbm2-2000-two-level");
  EXPECT_EQ(two_level.access(run(0, 64, 100)), 131);
  EXPECT_EQ(two_level.access(run(0, 64, 200)), 217);
}

TEST(Memory, IdleTimeCostsNothing) {
  for (const std::string& name : shipped_memories()) {
    Memory memory = make(name);
    const Tick first = memory.access(run(0, 32, 0));
    const Tick later = 1'000'000'000'000'000;
    EXPECT_LE(memory.access(run(0, 32, later)) - later, 2 * first + 2000) << name;
  }
}

TEST(Memory, RefreshHoldsUpWhatComesThen) {
  Memory memory = make("hbm2-2000");
  EXPECT_GT(memory.access(run(0, 32, 3905)) - 3905, 300);  // tREFI 3900, tRFC 350.
  EXPECT_LT(memory.access(run(0, 32, 5000)) - 5000, 40);
}

TEST(Memory, TransfersTogetherShareTheBandwidth) {
  Memory alone = make("hbm2-2000"), shared = make("hbm2-2000");
  const int64_t bytes = 1 << 18;
  const Tick end = alone.access(run(0, bytes, 0));
  const int64_t a = shared.submit(run(0, bytes, 0)), b = shared.submit(run(1 << 24, bytes, 0));
  const Tick end_a = shared.end_of(a), end_b = shared.end_of(b);
  EXPECT_GT(std::min(end_a, end_b), end * 11 / 10);
  EXPECT_GT(std::max(end_a, end_b), end * 17 / 10);
  const double peak = load_memory("hbm2-2000")->peak_bytes_per_tick();
  EXPECT_GT(static_cast<double>(std::max(end_a, end_b)) * peak, 2.0 * static_cast<double>(bytes));
}

TEST(Memory, RowsOfATileMoveWholeBursts) {
  Memory rows = make("hbm2-2000"), run_of_all = make("hbm2-2000");
  const Tick tile = rows.access({0, 100, 4096, 64, false, 0});  // 64 runs of 4 bursts.
  EXPECT_GE(tile, run_of_all.access(run(0, 64 * 128, 0)));
  EXPECT_EQ(rows.end_of(99), rows.now());  // Never submitted.
}

TEST(Memory, WhatIsSubmittedLateBeginsNow) {
  Memory memory = make("hbm2-2000");
  const Tick first = memory.access(run(0, 1 << 16, 0));
  EXPECT_GT(memory.access(run(1 << 20, 32, 0)), first);
}

TEST(Memory, FastEndsTransfersWhenExactDoes) {
  for (const char* name : {"hbm2-2000", "hbm3-6400", "hbm2-2000-two-level"})
    for (const bool write : {false, true}) {
      Device device = *load_memory(name);
      device.organization.channels = 1;
      std::array<double, 2> ends{};
      for (const auto mode : {Memory::Mode::exact, Memory::Mode::fast}) {
        auto memory = Memory::make(device, mode);
        const int64_t a = memory->submit(run(0, 3 << 20, 0, write)), b = memory->submit(run(1 << 26, 2 << 20, 0));
        const Tick end_b = memory->end_of(b);
        ends[mode == Memory::Mode::fast] = static_cast<double>(std::max(end_b, memory->end_of(a)));
      }
      EXPECT_NEAR(ends[1] / ends[0], 1, 0.02) << name << (write ? " write" : " read");
    }
}

TEST(Memory, GoingOnStepByStepEndsTransfersWhenGoingOnToTheirEndsDoes) {
  Memory whole = make("hbm3-5200"), steps = make("hbm3-5200");
  std::vector<Transfer> transfers;
  for (int i = 0; i < 8; ++i)
    transfers.push_back(run(uint64_t(i % 3) << 22 | uint64_t(i) << 14, 1 << 14, 37 * i, i % 4 == 3));
  for (const Transfer& transfer : transfers) whole.submit(transfer);
  std::map<int64_t, Tick> sent, ended;
  const auto note = [&](Tick until) {
    while (const auto progress = steps.advance(until)) {
      EXPECT_TRUE((progress->is_end ? ended : sent).emplace(progress->number, progress->at).second);
    }
  };
  for (const Transfer& transfer : transfers) {
    note(transfer.at);
    steps.submit(transfer);
  }
  note(never);
  ASSERT_EQ(ended.size(), transfers.size());
  for (const auto& [number, end] : ended) {
    EXPECT_EQ(end, whole.end_of(number)) << number;
    EXPECT_LE(sent[number], end);
  }
}

}  // namespace
}  // namespace hadal::memory
