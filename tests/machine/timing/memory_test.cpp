#include "machine/timing/memory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/split_mix.h"
#include "memory/files.h"

namespace hadal::machine::timing {
namespace {

constexpr int64_t channels = 64, granule_bursts = 2, piece_rounds = 8;

memory::RowModel rows_of(const memory::Device& device) {
  return {device, memory::RowTimes::of(device, ticks_per_cycle), channels, memory::Layout::of(device, granule_bursts)};
}

/// Reads a long stream piece by piece, each once the one before is taken, and after each so many single granules
/// anywhere. By servers, and by all channels one by one: when each has the last piece.
std::pair<Time, Time> read_stream(int64_t pieces, int64_t singles) {
  const memory::Device device = *memory::load_memory("hbm3-5200");
  const int64_t burst = device.organization.burst_bytes, granule = burst * granule_bursts;
  Servers servers({}, 0, std::vector<Node>(channels), Dram{rows_of(device), burst, granule_bursts});
  memory::RowModel all = rows_of(device);
  SplitMix random(1);
  Time at = 0, all_at = 0;
  std::pair<Time, Time> end;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t round = piece * piece_rounds, width = piece_rounds * channels;
    const auto service = servers.serve({round * channels, 1, width, width}, width * granule, false, at);
    at = service.taken;
    end.first = service.end;
    Time taken = all_at;
    for (size_t channel = 0; channel < channels; ++channel) {
      const auto part = all.serve(channel, round * granule_bursts, piece_rounds * granule_bursts, false, all_at);
      taken = std::max(taken, part.taken);
      end.second = std::max(end.second, part.end);
    }
    all_at = taken;
    for (int64_t i = 0; i < singles; ++i) {
      const auto single = static_cast<int64_t>(random.next() >> 40);
      servers.serve({single, 1, 1, 1}, granule, false, at);
      all.serve(static_cast<size_t>(single % channels), single / channels * granule_bursts, granule_bursts, false,
                all_at);
    }
  }
  return end;
}

constexpr int64_t long_stream = 32768;  // Pieces: 1 GiB, of which more than a third is sampled.

TEST(ChannelSample, ServesAStreamAsAllChannelsDo) {
  const auto [sampled, all] = read_stream(long_stream, 0);
  EXPECT_EQ(sampled, all);
}

TEST(ChannelSample, IsWithinThreePercentWhereSingleReadsDelayAStream) {
  const auto [sampled, all] = read_stream(long_stream, 4);
  EXPECT_NE(sampled, all);
  EXPECT_NEAR(static_cast<double>(sampled) / static_cast<double>(all), 1, 0.03);
  const auto [alone, same] = read_stream(long_stream, 0);
  EXPECT_GT(sampled, alone);
}

}  // namespace
}  // namespace hadal::machine::timing
