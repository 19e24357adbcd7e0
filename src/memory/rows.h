// A memory row by row: what its controllers make of whole runs of bytes, for a few steps a row and channel.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "memory/device.h"
#include "memory/divisor.h"
#include "network/calendar.h"

namespace hadal::memory {

/// Durations of a device in any unit of time. Parameters in brackets are JEDEC's.
struct RowTimes {
  int64_t burst = 0;        ///< From one column command to the next [tCCDS, tBL],
  int64_t group_burst = 0;  ///< within a bank group [tCCDL].
  int64_t activate = 0;     ///< From one activation to the next [tRRDS, tFAW over four].
  int64_t row_to_read = 0, row_to_write = 0, precharge = 0, row_open = 0, row_cycle = 0;  ///< [tRCD, tRP, tRAS, tRC]
  int64_t read_to_precharge = 0, write_to_precharge = 0;  ///< From the last command [tRTP, tCWL + tBL + tWR].
  int64_t read_latency = 0;                               ///< From a read to its last byte [tCL + tBL].
  int64_t turnaround = 0;                                 ///< From reads to writes and back [tRTW, tWTRS].
  int64_t refresh_interval = 0, refresh = 0;              ///< [tREFI, tRFC]

  /// `unit`: units in one tick of the device.
  static RowTimes of(const Device& device, double unit);
};

/// How controllers of a chip lay addresses out. Granules go round the channels. Those of one channel go round so few
/// bank groups that the bus has no gap, filling a row of each, since more rows of a stream would be in the way of other
/// streams; then follow the next groups, and the next banks, whose number is hashed.
struct Layout {
  int64_t granule = 1;  ///< Bursts.
  int64_t groups = 1;   ///< Bank groups that a stream alternates between [tCCDL / tCCDS, a power of two].
  static constexpr int64_t most_groups = 4;

  static Layout of(const Device& device, int64_t granule);
  /// As Mapping takes it. `turned`: channels are turned, so that no stride meets few.
  [[nodiscard]] std::string mapping(bool turned) const;
};

/// Channels, by which pseudo-channels are meant where there are any. Commands are not laid out one by one. A run waits
/// for its row to be open, then takes the first gap that is long enough on the data bus, as a controller serves what is
/// ready first; writes gather and are drained together, from the controller's high mark to its low one; a refresh takes
/// the bus and closes all rows. A request enters the queue once less than its length of work is ahead of it.
class RowModel {
 public:
  /// `channels` in all, with the banks and the controller of the device.
  RowModel(const Device& device, const RowTimes& times, int64_t channels, const Layout& layout);

  struct Service {
    int64_t taken = 0;  ///< When the queue has taken the last of it.
    int64_t begin = 0;  ///< A read's first byte is there.
    int64_t end = 0;    ///< A read's last byte is there, or a write is taken over.
  };
  /// `bursts` bursts of a channel, from its burst number `first` on, that come at time `at`. Times of one channel may
  /// go back by no more than what its calendars remember.
  Service serve(size_t channel, int64_t first, int64_t bursts, bool write, int64_t at);
  /// Gives a channel the state of another one.
  void copy(size_t from, size_t to) { channels_[to] = channels_[from]; }

 private:
  static constexpr size_t queue_parts = 4;
  using Group = network::CalendarOf<4>;
  struct Bank {
    int64_t row = -1;                                          ///< That is open.
    int64_t columns_from = 0;                                  ///< First read or write,
    int64_t close_from = 0;                                    ///< precharge,
    int64_t open_from = 0;                                     ///< activation.
    int64_t last_row = -1, last_columns_from = 0, closed = 0;  ///< The row before, until it was closed.
  };
  struct Channel {
    network::CalendarOf<8> bus;
    network::CalendarOf<4> activations;
    int64_t reads = 0;                        ///< Bursts so far.
    std::array<int64_t, queue_parts> left{};  ///< The mean time at which the last parts of them left the queue;
    int64_t enters_from = 0;                  ///< of the part whose places are taken now.
    int64_t rows_from = 0;                    ///< The end of the last refresh.
    int64_t next_refresh = 0;
    int64_t gathered = 0;        ///< Written bursts that wait for the bus,
    int64_t gathered_ready = 0;  ///< and when their rows are open.
    int64_t drained_until = 0;   ///< The end of the last drain,
    bool writing = false;        ///< with no read since.
    std::vector<Bank> banks;
    std::vector<Group> groups;  ///< Column commands of a bank group.
  };
  /// Bursts of a run in one bank.
  struct Part {
    uint32_t bank = 0, group = 0;
    int32_t before = 0, bursts = 0;  ///< `before`: of the run, until the first one here.
  };
  /// Bursts of a channel in one row number of the groups that a stream alternates between.
  struct Run {
    int64_t row = 0, bursts = 0;
    size_t count = 0;
    std::array<Part, Layout::most_groups> parts{};
    [[nodiscard]] std::span<const Part> groups() const { return {parts.data(), count}; }
  };
  [[nodiscard]] Run run_of(int64_t first, int64_t end) const;
  int64_t open(Channel& channel, const Run& run, bool write, int64_t at) const;
  int64_t open_bank(Channel& channel, Bank& bank, int64_t row, bool write, int64_t at) const;
  void leave(Channel& channel, int64_t bursts, int64_t at) const;
  int64_t gap(Channel& channel, const Run& run, int64_t at) const;
  void read(Channel& channel, const Run& run, Service& service) const;
  void write(Channel& channel, const Run& run, Service& service) const;
  bool refresh(Channel& channel, int64_t until) const;

  RowTimes times_;
  int64_t groups_;
  Divisor granule_, alternating_;  ///< Of the layout.
  Divisor stripe_;                 ///< Bursts of a row in each of the groups that a stream alternates between,
  Divisor stripes_;                ///< and how many of these a bank number has.
  Divisor banks_, queue_part_;
  int64_t queue_, drained_;
  std::vector<Channel> channels_;
};

}  // namespace hadal::memory
