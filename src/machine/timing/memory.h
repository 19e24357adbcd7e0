// Servers of bytes that are interleaved over addresses: the channels of HBM, and the scratchpads that make up the
// shared space.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "chip/chip.h"
#include "machine/timing/network.h"
#include "machine/timing/time.h"
#include "memory/mapping.h"
#include "memory/rows.h"

namespace hadal::machine::timing {

/// Which granules a piece of a transfer touches: `count` runs of `width` granules, the first at `first`, `step` apart.
struct Spread {
  int64_t first = 0, count = 1, step = 1, width = 1;
};

/// Time of a tick of the device, at the clock that gives the chip's bandwidth.
double tick_of(const chip::Chip& chip, const memory::Device& device, const Cycles& clock);

/// The banks behind channels.
struct Dram {
  memory::RowModel rows;
  int64_t burst_bytes = 0, granule_bursts = 0;  ///< Bursts a granule.
};

/// Channels that stand for all while a long stream passes: what meets every channel is then served by these alone, and
/// the others become like one of them when something meets them next. It begins when nearly all of the last `window`
/// bytes met every channel, so that what met single ones decides nothing.
class ChannelSample {
 public:
  explicit ChannelSample(size_t channels) : channels_(channels), seen_(channels) {}

  /// Bytes are to be served; `wide`: they meet every channel. Whether the sample serves them for all.
  bool serves(bool wide, int64_t bytes);
  [[nodiscard]] bool began() const { return share_ >= nearly_all; }
  [[nodiscard]] bool has(size_t channel) const { return channel % step() == 0; }
  /// The channel to become like, where `channel` has missed something; itself otherwise.
  size_t catch_up(size_t channel);

 private:
  static constexpr size_t size = 8;
  static constexpr double window = 256.0 * 1024 * 1024, nearly_all = 0.9;
  [[nodiscard]] size_t step() const { return std::max<size_t>(1, channels_ / size); }

  size_t channels_;
  double share_ = 0;            ///< Of the last bytes, those that met every channel.
  uint64_t served_ = 0;         ///< Times that the sample served for all.
  std::vector<uint64_t> seen_;  ///< How many of them a channel has caught up with.
};

/// Granule g lies on server g mod servers. A server works on one piece after another: at its own rate, all servers that
/// a piece touches equally, or as its DRAM does. Where addresses are hashed, no stride meets few servers: each round of
/// all servers begins at another one with DRAM; without, a piece's granules lie on as many servers as there are
/// granules.
class Servers {
 public:
  Servers(Rate rate, Time latency, std::vector<Node> nodes, std::optional<Dram> dram = {}, bool hashed = false);

  [[nodiscard]] Time latency() const { return latency_; }

  struct Service {
    Time first = 0;  ///< When the first of the servers began.
    Time taken = 0;  ///< When the last one had taken its part of the piece on.
    Time end = 0;    ///< When the last one was done.
  };
  Service serve(const Spread& spread, int64_t bytes, bool write, Time at);
  /// Whether a long stream passes.
  [[nodiscard]] bool samples() const { return dram_ && sample_.began(); }

  struct Share {
    Node node = 0;
    int64_t bytes = 0;
  };
  /// The nodes at which those bytes enter or leave the network. Valid until the next call.
  const std::vector<Share>& shares(const Spread& spread, int64_t bytes);

 private:
  struct Touched {
    int64_t starts = 1, step = 1, width = 1;
    [[nodiscard]] int64_t servers() const { return starts * width; }
  };
  [[nodiscard]] Touched touched(const Spread& spread) const;
  template <class Visit>
  void visit(int64_t first, const Touched& touched, Visit visit) const;

  Service access(const Spread& spread, int64_t bytes, bool write, Time at);
  template <class Visit>
  void visit_run(int64_t first, int64_t width, bool sampled, Visit visit) const;

  Rate rate_;
  Time latency_;
  bool hashed_;
  int64_t turn_;  ///< Servers by which each round of all begins further.
  std::optional<Dram> dram_;
  ChannelSample sample_;
  std::vector<Node> nodes_;
  std::vector<Time> busy_;
  std::vector<uint32_t> group_;  ///< Of each server: its node's place in all_.
  std::vector<Share> all_;       ///< Each node, and in `bytes` how many servers it has.
  std::vector<Share> some_;
  std::vector<uint32_t> place_;  ///< Of each group: 1 + its place in some_, 0 where it has none.
};

}  // namespace hadal::machine::timing
