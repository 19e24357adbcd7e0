// Patterns and mappings against addresses worked out by hand.
#include "memory/traffic.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "memory/mapping.h"

namespace hadal::memory {
namespace {

std::vector<std::pair<uint64_t, bool>> blocks(const Traffic& traffic, int count) {
  auto pattern = Pattern::make(traffic);
  EXPECT_TRUE(pattern.ok());
  std::vector<std::pair<uint64_t, bool>> all;
  for (int i = 0; i < count; ++i) {
    const auto block = pattern->next();
    all.emplace_back(block.address, block.write);
  }
  return all;
}
using Blocks = std::vector<std::pair<uint64_t, bool>>;

TEST(Traffic, Patterns) {
  Traffic t;
  t.region = 256;
  EXPECT_EQ(blocks(t, 5), (Blocks{{0, false}, {64, false}, {128, false}, {192, false}, {0, false}}));
  t.pattern = "seq_write";
  EXPECT_EQ(blocks(t, 2), (Blocks{{0, true}, {64, true}}));
  t.pattern = "mix";
  t.read_burst = 2;
  t.write_burst = 1;
  EXPECT_EQ(blocks(t, 6), (Blocks{{0, false}, {64, false}, {128, true}, {0, false}, {64, false}, {192, true}}));
  t.pattern = "stride";
  t.stride = 128;
  EXPECT_EQ(blocks(t, 4), (Blocks{{0, false}, {128, false}, {64, false}, {192, false}}));
  t.pattern = "streams";
  t.streams = 2;
  t.chunk = 64;
  EXPECT_EQ(blocks(t, 4), (Blocks{{0, false}, {128, false}, {64, false}, {192, false}}));
  t.pattern = "random_mix";
  SplitMix random(t.seed);
  for (const auto& [address, write] : blocks(t, 50)) {
    const uint64_t z = random.next();
    EXPECT_EQ(address, z % 4 * 64);
    EXPECT_EQ(write, (z >> 40) % 3 == 0);
  }
}

TEST(Traffic, NonsenseIsRefused) {
  Traffic t;
  EXPECT_EQ(Pattern::make(t).error().code, "traffic.range");
  t.region = 1 << 20;
  t.pattern = "spiral";
  EXPECT_EQ(Pattern::make(t).error().code, "traffic.pattern");
  for (const char* pattern : {"mix", "stride", "streams"}) {
    t.pattern = pattern;
    EXPECT_EQ(Pattern::make(t).error().code, "traffic.range") << pattern;
  }
}

TEST(Mapping, FieldsFromTheLowestBitOn) {
  const Organization o{2, 2, 4, 4, 16, 1024, 32};
  const auto mapping = Mapping::make("channel column:1 pseudo_channel bank_group^row bank column row", o);
  ASSERT_TRUE(mapping.ok()) << mapping.error().text();
  const auto at = [&](uint64_t burst) { return mapping->locate(burst * 32 + 5); };
  EXPECT_EQ(at(1).channel, 1);
  EXPECT_EQ(at(2).column, 1);
  EXPECT_EQ(at(4).bank, 16);  // Pseudo-channel 1.
  EXPECT_EQ(at(8).bank, 4);   // Bank group 1.
  EXPECT_EQ(at(32).bank, 1);
  EXPECT_EQ(at(128).column, 2);
  EXPECT_EQ(at(2048).row, 1);
  EXPECT_EQ(at(2048).bank, 4);                // Hashed with the row.
  EXPECT_EQ(at(uint64_t{2048} * 16).row, 0);  // Wraps.
}

TEST(Mapping, ChannelsThatAreNoPowerOfTwo) {
  const auto mapping = Mapping::make("channel column bank_group bank row", {5, 1, 4, 4, 16, 1024, 32});
  ASSERT_TRUE(mapping.ok()) << mapping.error().text();
  EXPECT_EQ(mapping->locate(32 * 13).channel, 3);
  EXPECT_EQ(mapping->locate(32 * 13).column, 2);
}

TEST(Mapping, TurnsMoveEachStripeOfTheChannels) {
  const Organization o{40, 2, 4, 4, 16, 1024, 32};  // 80 channels of both kinds, no power of two.
  const auto mapping = Mapping::make("channel pseudo_channel turn column bank_group bank row", o);
  ASSERT_TRUE(mapping.ok()) << mapping.error().text();
  constexpr uint64_t channels = 80, bursts = channels * 32 * 16;
  const auto channel = [&](uint64_t burst) {
    const auto at = mapping->locate(burst * 32);
    return static_cast<uint64_t>(at.channel) + 40 * static_cast<uint64_t>(at.bank / 16);
  };
  // No two bursts share a place,
  std::set<std::array<int64_t, 4>> places;
  for (uint64_t burst = 0; burst < bursts; ++burst) {
    const auto at = mapping->locate(burst * 32);
    places.insert({at.channel, at.bank, at.row, at.column});
  }
  EXPECT_EQ(places.size(), bursts);
  // and strides of a whole stripe, or of a few, meet many channels.
  for (const uint64_t stripes : {1, 2, 4, 8}) {
    std::set<uint64_t> met;
    for (uint64_t i = 0; i < channels; ++i) met.insert(channel(i * stripes * channels));
    EXPECT_GE(met.size(), channels / 8) << stripes;
  }
}

}  // namespace
}  // namespace hadal::memory
