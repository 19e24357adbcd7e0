#include "memory/memory.h"

#include <algorithm>
#include <utility>

namespace hadal::memory {

Memory::Memory(const Device& device, Mode mode, Mapping mapping)
    : device_(device),
      mapping_(std::move(mapping)),
      fast_(mode == Mode::fast),
      burst_(static_cast<uint64_t>(device.organization.burst_bytes)) {
  for (int64_t i = 0; i < device.organization.channels; ++i) channels_.push_back(make_channel(device));
}

Result<Memory> Memory::make(const Device& device, Mode mode) {
  HADAL_CHECK(check_device(device));
  HADAL_TRY(Mapping mapping, Mapping::make(device.mappings.at(device.controller.mapping), device.organization));
  return Memory(device, mode, std::move(mapping));
}

int64_t Memory::submit(const Transfer& transfer) {
  const auto at = std::upper_bound(waiting_.begin(), waiting_.end(), transfer.at,
                                   [](Tick time, const Transfer& other) { return time < other.at; });
  waiting_numbers_.insert(waiting_numbers_.begin() + (at - waiting_.begin()), submitted_);
  waiting_.insert(at, transfer);
  return submitted_++;
}

Tick Memory::end_of(int64_t number) {
  while (!ends_.contains(number)) {
    if (flows_.empty() && waiting_.empty()) return now();  // Never submitted, or asked for before.
    step();
  }
  return ends_.extract(number).mapped();
}

std::optional<Memory::Progress> Memory::advance(Tick until) {
  telling_ = true;
  while (progress_.empty()) {
    if (flows_.empty() && waiting_.empty()) return std::nullopt;
    if (!waiting_.empty()) clock_ = std::max(ran_ + 1, std::min(clock_, waiting_.front().at - skipped_));
    if ((flows_.empty() ? std::max(now(), waiting_.front().at) : now()) >= until) return std::nullopt;
    step();
  }
  const Progress progress = progress_.front();
  progress_.pop_front();
  return progress;
}

// Time -------------------------------------------------------------------------------------------------------------

/// One tick at which something happens, and on to the next.
void Memory::step() {
  begin_flows();
  if (flows_.empty()) {
    jump(std::max(clock_, waiting_.front().at - skipped_));
    begin_flows();
  }
  if (sampler_ && clock_ >= sampler_->due()) skip();
  send();
  Tick next = more_now_ ? clock_ + 1 : never;
  if (!waiting_.empty()) next = std::min(next, std::max(clock_ + 1, waiting_.front().at - skipped_));
  for (const auto& channel : channels_) {
    if (channel->next() <= clock_) {
      channel->run(clock_);
      if (channel->next() == clock_ + 1)
        for (const auto& flow : flows_)
          if (flow->blocked_on == channel.get()) flow->blocked_on = nullptr;
    }
    if (!channel->completions.empty()) collect(*channel);
    next = std::min(next, channel->next());
  }
  ran_ = clock_;
  end_flows();
  if (!flows_.empty()) clock_ = next;
}

/// Rests until a tick: refreshes that find nothing to do are left out.
void Memory::jump(Tick until) {
  for (const auto& channel : channels_)
    for (channel->rest(until); channel->next() < until; channel->rest(until)) channel->run(channel->next());
  clock_ = until;
}

// Flows ------------------------------------------------------------------------------------------------------------

void Memory::begin_flows() {
  while (!waiting_.empty() && waiting_.front().at <= now()) {
    auto flow = std::make_unique<Flow>();
    flow->transfer = waiting_.front();
    flow->number = waiting_numbers_.front();
    begin_run(*flow);
    flows_.push_back(std::move(flow));
    waiting_.pop_front();
    waiting_numbers_.pop_front();
    if (fast_) sampler_.emplace(device_, true, clock_);
  }
}

void Memory::begin_run(Flow& flow) const {
  const uint64_t first = flow.transfer.address + static_cast<uint64_t>(flow.run * flow.transfer.stride);
  flow.next = first / burst_ * burst_;
  flow.end = first + static_cast<uint64_t>(std::max<int64_t>(1, flow.transfer.bytes));
}

void Memory::send() {
  const int64_t most = 4 * static_cast<int64_t>(channels_.size());
  int64_t sent = 0;
  for (bool any = true; any && sent < most;) {
    any = false;
    for (size_t i = 0; i < flows_.size() && sent < most; ++i) {
      turn_ = turn_ + 1 < flows_.size() ? turn_ + 1 : 0;
      if (!send_burst(*flows_[turn_])) continue;
      any = true;
      ++sent;
    }
  }
  more_now_ = sent == most;
}

bool Memory::send_burst(Flow& flow) {
  if (is_sent(flow) || flow.blocked_on) return false;
  Request request{flow.next, mapping_.locate(flow.next), flow.transfer.write, reinterpret_cast<int64_t>(&flow)};
  Channel& channel = *channels_[static_cast<size_t>(request.location.channel)];
  if (!channel.push(request, clock_)) {
    flow.blocked_on = &channel;
    return false;
  }
  ++flow.out;
  advance(flow, 1);
  return true;
}

void Memory::collect(Channel& channel) {
  for (const Completion& completion : channel.completions) {
    auto& flow = *reinterpret_cast<Flow*>(completion.tag);
    --flow.out;
    flow.first = std::min(flow.first, completion.done);
    flow.last = std::max(flow.last, completion.done);
  }
  channel.completions.clear();
}

void Memory::end_flows() {
  if (telling_)
    for (const auto& flow : flows_)
      if (is_sent(*flow) && !std::exchange(flow->told, true)) progress_.push_back({flow->number, false, now()});
  const auto ended = [&](const std::unique_ptr<Flow>& flow) {
    if (!is_sent(*flow) || flow->out > 0) return false;
    if (telling_)
      progress_.push_back({flow->number, true, flow->last + skipped_, flow->first + skipped_});
    else
      ends_[flow->number] = flow->last + skipped_;
    return true;
  };
  if (std::erase_if(flows_, ended) > 0 && fast_) sampler_.emplace(device_, true, clock_);
}

// The fast model ---------------------------------------------------------------------------------------------------

int64_t Memory::bursts_left(const Flow& flow) const {
  const auto bursts = [&](uint64_t from, uint64_t to) {
    return static_cast<int64_t>((to - from + burst_ - 1) / burst_);
  };
  if (is_sent(flow)) return 0;
  return bursts(flow.next, flow.end) + (flow.transfer.count - flow.run - 1) * bursts(0, uint64_t(flow.transfer.bytes));
}

void Memory::advance(Flow& flow, int64_t bursts) const {
  flow.sent += bursts;
  while (bursts > 0) {
    const auto of_run = static_cast<int64_t>((flow.end - flow.next + burst_ - 1) / burst_);
    const int64_t some = std::min(bursts, of_run);
    flow.next += static_cast<uint64_t>(some) * burst_;
    bursts -= some;
    if (some == of_run && ++flow.run < flow.transfer.count) begin_run(flow);
  }
}

/// Once the pace of all flows together is known, goes on at each one's own for as long as nothing changes.
void Memory::skip() {
  int64_t sent = 0;
  for (const auto& flow : flows_) sent += flow->sent;
  const bool starts = sampler_->is_new();
  const Sampler::Skip pace = sampler_->sample(clock_, sent, INT64_MAX / 4);
  if (starts)
    for (const auto& flow : flows_) flow->sent_before = flow->sent;
  if (pace.intervals == 0) return;

  const Tick interval = device_.ticks_of("tREFI");
  const auto rate = [&](const Flow& flow) {  // Bursts an interval.
    return static_cast<double>(flow.sent - flow.sent_before) / static_cast<double>(sampler_->watched()) *
           double(interval);
  };
  double intervals = 1e15;
  for (const auto& flow : flows_)
    if (rate(*flow) > 0) intervals = std::min(intervals, static_cast<double>(bursts_left(*flow)) / rate(*flow) - 1);
  if (!waiting_.empty())
    intervals = std::min(intervals, static_cast<double>(waiting_.front().at - now()) / static_cast<double>(interval));
  const auto whole = static_cast<int64_t>(intervals);
  if (whole > 0) {
    for (const auto& flow : flows_) advance(*flow, static_cast<int64_t>(rate(*flow) * static_cast<double>(whole)));
    skipped_ += whole * interval;
  }
  sampler_.emplace(device_, true, clock_);
}

}  // namespace hadal::memory
