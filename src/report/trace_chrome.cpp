// Chrome's trace format: complete events ("ph": "X") in microseconds, a process a core and a thread a queue.
#include <fmt/format.h>

#include <iterator>

#include "base/result.h"
#include "report/trace_tracks.h"

namespace hadal::report {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {  // Control characters are escaped already.
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string chrome_trace(const std::vector<Track>& tracks) {
  std::string out = "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n";
  const auto to = std::back_inserter(out);
  const auto microseconds = [&](int64_t ns) { fmt::format_to(to, "{}.{:03}", ns / 1000, ns % 1000); };
  int process = -1;
  std::string_view group = "-";
  for (size_t i = 0; i < tracks.size(); ++i) {
    const Track& track = tracks[i];
    if (track.group != group) {
      group = track.group;
      fmt::format_to(to, "{{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": {}, \"args\": {{\"name\": {}}}}},\n",
                     ++process, quoted(group.empty() ? "chip" : group));
    }
    fmt::format_to(to,
                   "{{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": {}, \"tid\": {}, \"args\": {{\"name\": {}}}}}",
                   process, i, quoted(track.name));
    for (const Span& span : track.spans) {
      fmt::format_to(to, ",\n{{\"ph\": \"X\", \"name\": {}, \"pid\": {}, \"tid\": {}, \"ts\": ", quoted(span.name),
                     process, i);
      microseconds(span.begin);
      out += ", \"dur\": ";
      microseconds(span.end - span.begin);
      out += ", \"args\": {";
      for (size_t d = 0; d < span.details.size(); ++d)
        fmt::format_to(to, "{}{}: {}", d > 0 ? ", " : "", quoted(span.details[d].first), span.details[d].second);
      out += "}}";
    }
    out += i + 1 < tracks.size() ? ",\n" : "\n";
  }
  return out + "]}\n";
}

}  // namespace hadal::report
