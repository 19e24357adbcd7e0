// Host time.
#pragma once

#include <chrono>
#include <utility>

namespace hadal::runtime {

class Stopwatch {
 public:
  /// Seconds since it was made, or since the last lap.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(since_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace hadal::runtime
