// The row model: each rule shown tight, and the exact model beside it.
#include "memory/rows.h"

#include <gtest/gtest.h>

#include <optional>

#include "memory/files.h"
#include "memory/memory.h"

namespace hadal::memory {
namespace {

/// One channel, in ticks of the device, and addresses in it: rows one after another, if it is not laid out otherwise.
struct Channel {
  explicit Channel(std::optional<Layout> layout = {})
      : device(load_memory("hbm3-5200").value()),
        times(RowTimes::of(device, 1)),
        rows(device, times, 1, layout.value_or(Layout{row(), 1})) {}
  RowModel::Service read(int64_t first, int64_t bursts, int64_t at) { return rows.serve(0, first, bursts, false, at); }
  RowModel::Service write(int64_t first, int64_t bursts, int64_t at) { return rows.serve(0, first, bursts, true, at); }
  [[nodiscard]] int64_t row() const { return device.organization.columns(); }
  /// The same bank again, after all others; the hash gives it to row 1 of the next number.
  [[nodiscard]] int64_t other_row_of_bank_0() const {
    const Organization& o = device.organization;
    return row() * o.bank_groups * (o.banks + 1);
  }
  Device device;
  RowTimes times;
  RowModel rows;
};

TEST(Rows, AClosedRowIsOpenedAndAnOpenOneHit) {
  Channel channel;
  EXPECT_EQ(channel.read(0, 1, 100).end, 100 + channel.times.row_to_read + channel.times.read_latency);
  EXPECT_EQ(channel.read(1, 1, 1000).end, 1000 + channel.times.read_latency);
}

TEST(Rows, AnotherRowOfABankWaitsForPrechargeAndRowCycle) {
  Channel channel;
  const RowTimes& t = channel.times;
  channel.read(0, 1, 100);
  EXPECT_EQ(channel.read(channel.other_row_of_bank_0(), 1, 101).end,
            100 + t.row_cycle + t.row_to_read + t.read_latency);
  EXPECT_EQ(channel.read(0, 1, 1000).end, 1000 + t.precharge + t.row_to_read + t.read_latency);
}

TEST(Rows, ABankGroupIsSlowerThanTheBusWhichTwoOfThemShare) {
  Channel channel;
  const RowTimes& t = channel.times;
  ASSERT_GT(t.group_burst, t.burst);
  const int64_t one = 1000 + t.row_to_read + t.read_latency;
  EXPECT_EQ(channel.read(0, 8, 1000).end, one + 7 * t.group_burst);
  EXPECT_EQ(channel.read(channel.row(), 8, 1000).end, one + 8 * t.burst + 7 * t.group_burst);
  EXPECT_EQ(channel.read(8, 1, 1000).end, one + 8 * t.group_burst);  // Until then it is taken.
}

TEST(Rows, AStreamAlternatesBetweenTwoBankGroups) {
  Channel channel(Layout{4, 2});
  const RowTimes& t = channel.times;
  ASSERT_EQ(t.group_burst, 2 * t.burst);
  // The second row is open by its turn.
  const int64_t one = 1000 + t.row_to_read + t.read_latency;
  EXPECT_EQ(channel.read(0, 8, 1000).end, one + 7 * t.burst);
  EXPECT_EQ(channel.read(8, 8, 1000).end, one + 15 * t.burst);
  EXPECT_EQ(channel.read(16, 4, 1000).end, one + 16 * t.burst + 3 * t.group_burst);
  // Rows of both are open to their ends; then come other groups.
  EXPECT_EQ(channel.read(2 * channel.row() - 8, 8, 2000).end, 2000 + t.read_latency + 7 * t.burst);
  EXPECT_GT(channel.read(2 * channel.row(), 8, 3000).end, 3000 + t.row_to_read + t.read_latency);
}

TEST(Rows, AsManyGroupsAlternateAsTheBusNeeds) {
  EXPECT_EQ(Layout::of(load_memory("hbm3-5200").value(), 8).mapping(true),
            "column:3 channel pseudo_channel turn bank_group:1 column bank_group bank^row row");
  Device device = load_memory("lpddr5-6400").value();
  EXPECT_EQ(Layout::of(device, 1).mapping(false), "channel pseudo_channel bank_group:1 column bank_group bank^row row");
  device.timing["tCCDL"] = device.timing["tCCDS"];
  EXPECT_EQ(Layout::of(device, 1).mapping(false), "channel pseudo_channel column bank_group bank^row row");
}

TEST(Rows, ActivationsAreApart) {
  Channel channel;
  const RowTimes& t = channel.times;
  channel.read(0, 1, 100);
  EXPECT_EQ(channel.read(channel.row(), 1, 100).end, 100 + t.activate + t.row_to_read + t.read_latency);
}

TEST(Rows, ARefreshHoldsUpWhatComesThenAndClosesRows) {
  Channel channel;
  const RowTimes& t = channel.times;
  channel.read(0, 1, 100);
  const int64_t opened = t.row_to_read + t.read_latency;
  EXPECT_EQ(channel.read(1, 1, t.refresh_interval + 1).end, t.refresh_interval + t.precharge + t.refresh + opened);
  const int64_t much_later = 1000 * t.refresh_interval + t.refresh_interval / 2;
  EXPECT_EQ(channel.read(2, 1, much_later).end, much_later + opened);
}

TEST(Rows, TheQueueTakesNoMoreThanItHolds) {
  Channel channel;
  const int64_t queue = channel.device.controller.queue;
  EXPECT_EQ(channel.read(0, queue, 100).taken, 100);
  EXPECT_GT(channel.read(queue, 1, 100).taken, 100);
}

TEST(Rows, WritesAreTakenOverAtOnceUntilTheQueueIsFull) {
  Channel channel;
  const RowTimes& t = channel.times;
  const int64_t queue = channel.device.controller.queue;
  EXPECT_EQ(channel.write(0, queue / 2, 100).end, 100);
  EXPECT_EQ(channel.read(channel.row(), 1, 200).end, 200 + t.row_to_read + t.read_latency);  // Nothing is drained yet.
  EXPECT_EQ(channel.write(queue / 2, queue / 2, 300).end, 300);                              // Now it is:
  EXPECT_GT(channel.read(channel.row() + 1, 1, 310).end, 310 + t.turnaround + t.read_latency);
  EXPECT_GT(channel.write(queue, 4 * queue, 320).end, 320);
}

/// Streams that lie so far apart are in rows of different banks; those of a power of two in the same ones.
constexpr int64_t scattered = 64 * 19290, colliding = 1 << 22;

/// Streams of pieces of 32 KiB that lie `apart` bytes, all channels, each piece asked for once `window` before it are
/// done: bytes a tick.
double pace(Device device, int streams, size_t window, bool exact, int64_t apart = scattered) {
  const int64_t piece = 32 << 10, pieces = 256, granule = 64, burst = device.organization.burst_bytes;
  const int64_t channels = device.organization.channels * device.organization.pseudo_channels;
  constexpr int64_t unit = 16;
  const Layout layout = Layout::of(device, granule / burst);
  device.mappings[device.controller.mapping] = layout.mapping(false);
  RowModel rows(device, RowTimes::of(device, unit), channels, layout);
  auto memory = Memory::make(device, Memory::Mode::exact);
  EXPECT_TRUE(memory.ok());
  std::vector<Tick> ends;
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < pieces; ++i) {
    const auto number = static_cast<size_t>(i);
    const uint64_t address = static_cast<uint64_t>((i % streams) * apart + i / streams * piece);
    if (exact && number >= window) ends.push_back(memory->end_of(numbers[number - window]));
    const Tick at = number >= window ? ends[number - window] : 0;
    if (exact) {
      numbers.push_back(memory->submit({address, piece, 0, 1, false, at}));
      continue;
    }
    Tick end = 0;
    for (int64_t k = 0; k < channels; ++k) {
      const int64_t first = static_cast<int64_t>(address) / granule + k;
      const auto service = rows.serve(first % channels, first / channels * (granule / burst),
                                      piece / granule / channels * (granule / burst), false, at * unit);
      end = std::max(end, service.end / unit);
    }
    ends.push_back(end);
  }
  Tick last = 0;
  for (size_t i = ends.size(); exact && i < numbers.size(); ++i) last = std::max(last, memory->end_of(numbers[i]));
  for (const Tick end : ends) last = std::max(last, end);
  return static_cast<double>(pieces * piece) / static_cast<double>(last);
}

TEST(Rows, StreamsOfPiecesComeAsFastAsInTheExactModel) {
  for (const std::string name : {"hbm3-5200", "lpddr5-6400"}) {
    const Device device = load_memory(name).value();
    for (const int streams : {1, 2, 4, 8, 16}) {
      for (const size_t window : {4, 16}) {
        const double exact = pace(device, streams, window, true), rows = pace(device, streams, window, false);
        EXPECT_NEAR(rows / exact, 1, 0.08) << name << ", " << streams << " streams, " << window << " pieces at a time";
        EXPECT_LT(rows, device.peak_bytes_per_tick());
      }
    }
  }
}

TEST(Rows, StreamsInTheSameBanksAreInEachOthersWay) {
  const Device device = load_memory("hbm3-5200").value();
  for (const int streams : {2, 4, 8, 16})
    for (const size_t window : {4, 16}) {
      const double exact = pace(device, streams, window, true, colliding),
                   rows = pace(device, streams, window, false, colliding);
      const double most = streams == 16 && window == 16 ? 1.65 : 1.3;  // It does not say by how much exactly.
      EXPECT_LT(rows, 0.95 * pace(device, streams, window, false));
      EXPECT_GT(rows / exact, 1) << streams << " streams, " << window << " pieces at a time";
      EXPECT_LT(rows / exact, most) << streams << " streams, " << window << " pieces at a time";
    }
}

TEST(Rows, ALongerQueueServesStreamsBetter) {
  Device device = load_memory("hbm3-5200").value();
  const double chosen = pace(device, 4, 4, true, colliding);
  device.controller.queue = 32;
  EXPECT_NEAR(pace(device, 4, 4, true, colliding) / chosen, 0.85, 0.005);  // The figure in hbm3-5200.toml.
}

}  // namespace
}  // namespace hadal::memory
