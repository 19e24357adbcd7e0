#include "machine/timing/memory.h"

#include <algorithm>
#include <numeric>

#include "rules/cycles.h"

namespace hadal::machine::timing {

double tick_of(const chip::Chip& chip, const memory::Device& device, const Cycles& clock) {
  const auto buses = static_cast<double>(device.organization.channels * device.organization.pseudo_channels);
  const double channel = chip.memory.bytes_per_second / static_cast<double>(chip.memory.channels);
  return device.peak_bytes_per_tick() / buses * clock.rate_of_seconds(channel).ticks_per_byte;
}

bool ChannelSample::serves(bool wide, int64_t bytes) {
  share_ += ((wide ? 1 : 0) - share_) * std::min(1.0, static_cast<double>(bytes) / window);
  if (!wide || !began()) return false;
  ++served_;
  return true;
}

size_t ChannelSample::catch_up(size_t channel) {
  if (has(channel) || seen_[channel] == served_) return channel;
  seen_[channel] = served_;
  return channel / step() * step();
}

Servers::Servers(Rate rate, Time latency, std::vector<Node> nodes, std::optional<Dram> dram, bool hashed)
    : rate_(rate),
      latency_(latency),
      hashed_(hashed),
      turn_(hashed ? static_cast<int64_t>(memory::turn_step(nodes.size())) : 0),
      dram_(std::move(dram)),
      sample_(nodes.size()),
      nodes_(std::move(nodes)),
      busy_(nodes_.size()) {
  for (const Node node : nodes_) {
    const auto known = std::find_if(all_.begin(), all_.end(), [&](const Share& share) { return share.node == node; });
    group_.push_back(static_cast<uint32_t>(known - all_.begin()));
    if (known == all_.end()) all_.push_back({node, 0});
    ++all_[group_.back()].bytes;
  }
  place_.resize(all_.size());
}

Servers::Touched Servers::touched(const Spread& spread) const {
  const auto servers = static_cast<int64_t>(nodes_.size());
  if (hashed_) return {1, 1, std::min(servers, spread.count * spread.width)};
  const int64_t period = spread.count > 1 ? std::gcd(spread.step, servers) : 1;
  if (spread.width >= period) return {1, 1, std::min(servers, spread.count * spread.width)};
  return {std::min(spread.count, servers / period), spread.step % servers, spread.width};
}

template <class Visit>
void Servers::visit(int64_t first, const Touched& touched, Visit visit) const {
  const auto servers = static_cast<int64_t>(nodes_.size());
  constexpr uint64_t golden = 0x9E3779B97F4A7C15;
  int64_t start =
      hashed_ ? static_cast<int64_t>((static_cast<uint64_t>(first) * golden >> 32) % nodes_.size()) : first % servers;
  for (int64_t i = 0; i < touched.starts; ++i) {
    int64_t server = start;
    for (int64_t w = 0; w < touched.width; ++w) {
      visit(static_cast<size_t>(server));
      if (++server == servers) server = 0;
    }
    start += touched.step;
    if (start >= servers) start -= servers;
  }
}

Servers::Service Servers::serve(const Spread& spread, int64_t bytes, bool write, Time at) {
  if (dram_) return access(spread, bytes, write, at);
  const Touched set = touched(spread);
  const Time length = rate_.time(rules::ceil_div(bytes, set.servers()));
  Service service{never, at, at};
  visit(spread.first, set, [&](size_t server) {
    const Time start = std::max(at, busy_[server]);
    busy_[server] = start + length;
    service.first = std::min(service.first, start);
    service.taken = std::max(service.taken, start);
  });
  service.end = service.taken + length;
  return service;
}

/// Each channel that a run of granules meets, or of the sample, and there the first of its rounds and how many: those
/// lie one after another.
template <class Visit>
void Servers::visit_run(int64_t first, int64_t width, bool sampled, Visit visit) const {
  const auto servers = static_cast<int64_t>(nodes_.size());
  const int64_t last = first + width - 1;
  if (width < servers) {
    for (int64_t granule = first; granule <= last; ++granule)
      visit(static_cast<size_t>((granule + granule / servers * turn_) % servers), granule / servers, 1);
    return;
  }
  // A channel may have no part of the first round and of the last one.
  const int64_t first_round = first / servers, first_place = first % servers;
  const int64_t last_round = last / servers, last_place = last % servers;
  const int64_t first_turn = first_round * turn_ % servers, last_turn = last_round * turn_ % servers;
  const auto place = [&](int64_t channel, int64_t turn) {
    return channel >= turn ? channel - turn : channel - turn + servers;
  };
  for (int64_t channel = 0; channel < servers; ++channel) {
    if (sampled && !sample_.has(static_cast<size_t>(channel))) continue;
    const int64_t from = first_round + (place(channel, first_turn) < first_place ? 1 : 0);
    const int64_t to = last_round - (place(channel, last_turn) > last_place ? 1 : 0);
    if (to >= from) visit(static_cast<size_t>(channel), from, to - from + 1);
  }
}

Servers::Service Servers::access(const Spread& spread, int64_t bytes, bool write, Time at) {
  const int64_t each = rules::ceil_div(bytes, spread.count * spread.width * dram_->burst_bytes);
  const int64_t bursts = std::min(each, dram_->granule_bursts);
  const bool sampled = sample_.serves(spread.width >= 2 * static_cast<int64_t>(nodes_.size()), bytes);
  Service service{never, at, at};
  Time run_at = at;
  for (int64_t run = 0; run < spread.count; ++run) {
    visit_run(
        spread.first + run * spread.step, spread.width, sampled, [&](size_t channel, int64_t round, int64_t rounds) {
          if (const size_t like = sample_.catch_up(channel); like != channel) dram_->rows.copy(like, channel);
          const auto part = dram_->rows.serve(channel, round * dram_->granule_bursts, rounds * bursts, write, run_at);
          service.first = std::min(service.first, part.begin);
          service.taken = std::max(service.taken, part.taken);
          service.end = std::max(service.end, part.end);
        });
    run_at = service.taken;
  }
  return service;
}

const std::vector<Servers::Share>& Servers::shares(const Spread& spread, int64_t bytes) {
  const Touched set = touched(spread);
  const int64_t each = rules::ceil_div(bytes, set.servers());
  some_.clear();
  if (set.servers() == static_cast<int64_t>(nodes_.size())) {
    for (const Share& node : all_) some_.push_back({node.node, node.bytes * each});
    return some_;
  }
  std::fill(place_.begin(), place_.end(), 0);
  visit(spread.first, set, [&](size_t server) {
    uint32_t& place = place_[group_[server]];
    if (place == 0) {
      some_.push_back({nodes_[server], 0});
      place = static_cast<uint32_t>(some_.size());
    }
    some_[place - 1].bytes += each;
  });
  return some_;
}

}  // namespace hadal::machine::timing
