#include "memory/replay.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <queue>

#include "memory/channel.h"
#include "memory/sampler.h"

namespace hadal::memory {

namespace {

/// What is sent next, and when.
class Source {
 public:
  Source(const Device& device, const Traffic& traffic, const Pattern& pattern, Mapping mapping)
      : pattern_(pattern),
        mapping_(std::move(mapping)),
        burst_(static_cast<uint64_t>(device.organization.burst_bytes)),
        bursts_of_block_(std::max<int64_t>(1, traffic.granule / device.organization.burst_bytes)),
        left_(traffic.requests) {
    if (traffic.offered_load > 0)
      block_ticks_ = static_cast<double>(traffic.granule) / (traffic.offered_load * device.peak_bytes_per_tick());
    take_block();
  }

  [[nodiscard]] bool done() const { return left_ == 0; }
  [[nodiscard]] Tick available() const { return available_; }
  [[nodiscard]] bool is_scheduled() const { return block_ticks_ > 0; }
  [[nodiscard]] Request& request() { return request_; }

  [[nodiscard]] int64_t left() const { return left_; }
  /// Leaves out whole blocks; returns how many bursts those are.
  int64_t skip(int64_t bursts) {
    const int64_t blocks = bursts / bursts_of_block_;
    left_ -= blocks * bursts_of_block_;
    pattern_.skip(blocks);
    return blocks * bursts_of_block_;
  }

  void pop() {
    if (--left_ == 0) return;
    if (++burst_of_block_ == bursts_of_block_) {
      take_block();
    } else {
      request_.address += burst_;
      request_.location = mapping_.locate(request_.address);
    }
  }

 private:
  void take_block() {
    const Pattern::Block block = pattern_.next();
    request_ = {block.address, mapping_.locate(block.address), block.write, 0};
    burst_of_block_ = 0;
    available_ = static_cast<Tick>(scheduled_);
    scheduled_ += block_ticks_;  // A running sum, as the reference driver rounds it.
  }

  Pattern pattern_;
  Mapping mapping_;
  uint64_t burst_;
  int64_t bursts_of_block_, left_, burst_of_block_ = 0;
  double block_ticks_ = 0, scheduled_ = 0;  ///< From one block to the next, and until this one.
  Tick available_ = 0;
  Request request_;
};

class Replay {
 public:
  Replay(const Device& device, const Traffic& traffic, Source source, bool fast)
      : source_(std::move(source)),
        sampler_(device, fast),
        window_(traffic.window),
        a_tick_(4 * device.organization.channels),
        bytes_(device.organization.burst_bytes) {
    for (int64_t i = 0; i < device.organization.channels; ++i) channels_.push_back(make_channel(device));
  }

  Replayed run() {
    Tick skipped = 0;
    for (Tick at = 0; !source_.done() || reads_out_ > 0;) {
      if (at >= sampler_.due()) skipped += skip(at);
      Tick next = send(at);
      for (const auto& channel : channels_) {
        if (channel->next() <= at) {
          channel->run(at);
          if (channel.get() == blocked_on_ && channel->next() == at + 1) blocked_on_ = nullptr;
        }
        if (!channel->completions.empty()) collect(*channel);
        next = std::min(next, channel->next());
      }
      at = window_ > 0 && !freed_.empty() ? std::min(next, std::max(at + 1, freed_.top())) : next;
    }
    result_.ticks += skipped;
    if (result_.reads > 0) result_.mean_latency = latency_ / static_cast<double>(result_.reads);
    return result_;
  }

 private:
  /// Where the pace is known, leaves out whole refresh intervals at that pace; returns their ticks.
  Tick skip(Tick at) {
    const Sampler::Skip skip = sampler_.sample(at, result_.bytes / bytes_, source_.left());
    if (skip.intervals == 0) return 0;
    const int64_t bursts = source_.skip(skip.requests);
    result_.bytes += bursts * bytes_;
    // What blocks were left out for is in the pace of the others.
    return std::llround(static_cast<double>(bursts) * skip.ticks_a_request);
  }

  /// Sends what can be sent at `at`; returns when to try again, unless something else happens first.
  Tick send(Tick at) {
    while (!freed_.empty() && freed_.top() <= at) {
      freed_.pop();
      --out_;
    }
    if (blocked_on_) return never;
    for (int64_t sent = 0; !source_.done(); ++sent) {
      if (sent == a_tick_) return at + 1;
      if (source_.available() > at) return source_.available();
      if (window_ > 0 && out_ >= window_) return never;
      Request& request = source_.request();
      request.tag = source_.is_scheduled() ? source_.available() : at;
      Channel& channel = *channels_[static_cast<size_t>(request.location.channel)];
      if (!channel.push(request, at)) {
        blocked_on_ = &channel;
        return never;
      }
      ++out_;
      if (!request.write) ++reads_out_;
      result_.bytes += bytes_;
      result_.ticks = std::max(result_.ticks, at + 1);
      source_.pop();
    }
    return never;
  }

  void collect(Channel& channel) {
    for (const Completion& completion : channel.completions) {
      if (window_ > 0) freed_.push(completion.freed);
      if (completion.write) continue;
      --reads_out_;
      ++result_.reads;
      latency_ += static_cast<double>(completion.done - completion.tag);
      result_.ticks = std::max(result_.ticks, completion.freed);
    }
    channel.completions.clear();
  }

  Source source_;
  Sampler sampler_;
  int64_t window_, a_tick_, bytes_, out_ = 0, reads_out_ = 0;
  double latency_ = 0;
  std::vector<std::unique_ptr<Channel>> channels_;
  const Channel* blocked_on_ = nullptr;  ///< Refused a request, and has done nothing since.
  std::priority_queue<Tick, std::vector<Tick>, std::greater<>> freed_;
  Replayed result_;
};

}  // namespace

Result<Replayed> replay(const Device& device, const Traffic& traffic, bool fast) {
  HADAL_TRY(const Pattern pattern, Pattern::make(traffic));
  HADAL_TRY(Mapping mapping, Mapping::make(device.mappings.at(device.controller.mapping), device.organization));
  if (traffic.requests < 1) return Error{"traffic.range", "no requests", {}, {}};
  return Replay(device, traffic, Source(device, traffic, pattern, std::move(mapping)), fast).run();
}

}  // namespace hadal::memory
