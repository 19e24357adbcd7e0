// Independent work on several threads of this computer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace hadal {

/// Calls work(i) for every i below `count`, on at most `threads` threads and as many as this computer gives; returns
/// when all have returned.
template <class Work>
void for_each_index(size_t count, size_t threads, const Work& work) {
  std::atomic<size_t> next = 0;
  const auto serve = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> others;
  try {
    for (size_t i = 1; i < std::min(count, threads); ++i) others.emplace_back(serve);
  } catch (const std::system_error&) {  // No room for its stack: those that there are do the work.
  }
  serve();
}

}  // namespace hadal
