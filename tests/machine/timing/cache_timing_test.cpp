// The cache between network and memory, and addresses that are hashed over channels.
#include "machine/timing/builder.h"
#include "machine/timing/memory.h"

namespace hadal::machine {
namespace {

/// A hit takes 20 cycles to its first byte, memory 100.
chip::Chip cached_chip(int64_t bytes) {
  chip::Chip chip = small_chip();
  chip.dma.outstanding = 1;
  chip.cache = {.bytes = bytes, .latency_femtoseconds = 20'000'000};
  return chip;
}

TEST(CacheTiming, WhatWasLoadedIsThere) {
  Builder b;
  b.load(4096);
  b.load(4096);
  EXPECT_EQ(cycles_of(b, cached_chip(4096)), 1 + (10 + 100 + 64) + (10 + 20 + 64));
  EXPECT_EQ(cycles_of(b, cached_chip(4095)), 1 + 2 * (10 + 100 + 64));
  EXPECT_EQ(cycles_of(b, cached_chip(0)), 1 + 2 * (10 + 100 + 64));
}

TEST(CacheTiming, OtherBytesAreNot) {
  Builder b;
  b.load(4096);
  b.load(4096, 4096);
  EXPECT_EQ(cycles_of(b, cached_chip(1 << 20)), 1 + 2 * (10 + 100 + 64));
}

TEST(CacheTiming, TheLongestUnusedLeaves) {
  Builder b;
  for (const uint64_t at : {0, 1, 0, 2, 0, 1}) b.load(4096, at * 4096);
  // Room for two: the third and fifth load hit, and 2 has pushed 1 out.
  EXPECT_EQ(cycles_of(b, cached_chip(8192)), 1 + 4 * (10 + 100 + 64) + 2 * (10 + 20 + 64));
}

TEST(CacheTiming, AStoreEndsThere) {
  Builder b;
  b.store(4096);
  chip::Chip chip = cached_chip(1 << 20);
  chip.memory.bytes_per_second = 6.4e9;
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 64);
  chip.cache.bytes = 0;
  EXPECT_EQ(cycles_of(b, chip), 1 + 10 + 640);
}

TEST(CacheTiming, AWarmRunFindsWhatTheOneBeforeLeft) {
  const chip::Chip chip = cached_chip(4096);
  const auto cycles = [&](bool warm) {
    Builder b;
    b.load(4096);
    return time_program(b.done(), chip, {.warm = warm})->cycles;
  };
  EXPECT_EQ(cycles(false), 1 + 10 + 100 + 64);
  EXPECT_EQ(cycles(true), 1 + 10 + 20 + 64);
}

TEST(MemoryTiming, AHashSpreadsAStrideOverAllChannels) {
  const timing::Spread stride{.first = 0, .count = 4, .step = 4, .width = 1};
  const auto end = [&](bool hashed) {
    timing::Servers servers({1.0}, 0, {0, 1, 2, 3}, {}, hashed);
    return servers.serve(stride, 256, false, 0).end;
  };
  EXPECT_EQ(end(false), 256);  // All on the first of four.
  EXPECT_EQ(end(true), 64);
}

}  // namespace
}  // namespace hadal::machine
