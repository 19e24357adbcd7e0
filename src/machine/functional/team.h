// Host threads that work together, and how they wait for each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "machine/functional/clock.h"

namespace hadal::machine {

/// Waiting threads look on for this long before they sleep: a hand-over costs less than a wake-up by the system.
inline constexpr double spin_seconds = 40e-6;

inline void pause_processor() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Returns once `met` holds for the value. Whoever changes it notifies all.
template <class Met>
void await(const std::atomic<uint32_t>& value, const Met& met) {
  for (int i = 0; i < 64; ++i) {
    if (met(value.load(std::memory_order_acquire))) return;
    pause_processor();
  }
  const double until = seconds_now() + spin_seconds;
  while (seconds_now() < until)
    for (int i = 0; i < 16; ++i) {
      if (met(value.load(std::memory_order_acquire))) return;
      pause_processor();
    }
  for (uint32_t seen = value.load(std::memory_order_acquire); !met(seen); seen = value.load(std::memory_order_acquire))
    value.wait(seen);
}

class Team {
 public:
  /// The thread that calls `run` is the first of them.
  explicit Team(size_t threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] size_t size() const { return threads_.size() + 1; }
  /// Calls work(number) in each thread; returns when all have returned.
  void run(const std::function<void(size_t)>& work);

 private:
  void serve(size_t number);

  std::vector<std::thread> threads_;
  const std::function<void(size_t)>* work_ = nullptr;  ///< Null: the threads are to end.
  std::atomic<uint32_t> round_{0}, working_{0};
};

}  // namespace hadal::machine
