#include "memory/sampler.h"

#include <algorithm>
#include <cmath>

namespace hadal::memory {

namespace {

constexpr int64_t fewest_intervals = 6;
constexpr double wanted_error = 0.004;  ///< Standard error of the mean, as a share of it.

}  // namespace

Sampler::Sampler(const Device& device, bool on, Tick start) : interval_(device.ticks_of("tREFI")) {
  if (on) due_ = (start / interval_ + 2) * interval_;  // The first interval starts cold.
}

Sampler::Skip Sampler::sample(Tick at, int64_t done, int64_t left) {
  due_ = (at / interval_ + 1) * interval_;
  if (!started_) {
    started_ = true;
    first_ = last_ = at;
    first_done_ = last_done_ = done;
    return {};
  }
  // Events need not fall on the border of an interval: what counts is the pace between two of them.
  const double requests = static_cast<double>(done - last_done_) / static_cast<double>(at - last_);
  last_ = at;
  last_done_ = done;
  ++intervals_;
  sum_ += requests;
  squares_ += requests * requests;
  const auto n = static_cast<double>(intervals_);
  const double mean = sum_ / n;
  const double error = std::sqrt(std::max(0.0, squares_ / n - mean * mean) / (n - 1));
  if (intervals_ < fewest_intervals || error > wanted_error * mean) return {};

  Skip skip;
  skip.ticks_a_request = static_cast<double>(at - first_) / static_cast<double>(done - first_done_);
  const double an_interval = static_cast<double>(interval_) / skip.ticks_a_request;
  skip.intervals = static_cast<int64_t>(static_cast<double>(left) / an_interval) - 1;  // The end is run as it is.
  if (skip.intervals <= 0) return {};
  skip.requests = static_cast<int64_t>(static_cast<double>(skip.intervals) * an_interval);
  due_ = never;
  return skip;
}

}  // namespace hadal::memory
