// What both trace formats are written from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal::report {

/// Nanoseconds. The spans of a track stand in the order of beginning, an outer one before what it holds.
struct Span {
  std::string_view name;
  int64_t begin = 0, end = 0;
  int level = 0;
  std::vector<std::pair<std::string_view, int64_t>> details;
};
struct Track {
  std::string name;
  std::string group;  ///< "core 3"; empty for a track of its own.
  std::vector<Span> spans;
};

std::string chrome_trace(const std::vector<Track>& tracks);
std::string perfetto_trace(const std::vector<Track>& tracks);

}  // namespace hadal::report
