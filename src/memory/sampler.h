// The fast model: the exact one, which leaves out whole refresh intervals once it knows their pace.
#pragma once

#include <cstdint>

#include "memory/device.h"

namespace hadal::memory {

/// Watches how many requests go in each refresh interval. When their mean is known well enough, the requests that
/// remain can be left out but for the last intervals: sampling as in Wunderlich et al., "SMARTS" (ISCA 2003). A refresh
/// interval has everything in it that recurs: turnarounds, row changes, the refresh itself.
class Sampler {
 public:
  /// Watches from tick `start` on; `on` false: never leaves out anything.
  Sampler(const Device& device, bool on, Tick start = 0);

  /// The tick at which to call sample().
  [[nodiscard]] Tick due() const { return due_; }

  /// Whether it has not begun to watch.
  [[nodiscard]] bool is_new() const { return !started_; }
  /// Ticks that it has watched.
  [[nodiscard]] Tick watched() const { return last_ - first_; }

  struct Skip {
    int64_t intervals = 0, requests = 0;
    double ticks_a_request = 0;
  };
  /// `done` requests were accepted before tick `at`, `left` remain. What to leave out now; nothing while the pace is
  /// not known.
  Skip sample(Tick at, int64_t done, int64_t left);

 private:
  Tick interval_, due_ = never;
  bool started_ = false;
  Tick first_ = 0, last_ = 0;
  int64_t first_done_ = 0, last_done_ = 0;
  int64_t intervals_ = 0;
  double sum_ = 0, squares_ = 0;  ///< Of requests in an interval.
};

}  // namespace hadal::memory
