// The bytes of both trace formats; tests/python/test_trace.py reads them with Perfetto's own parser.
#include <gtest/gtest.h>

#include "report/trace_tracks.h"

namespace hadal::report {
namespace {

std::vector<Track> tracks() {
  return {{"matrix", "core 0", {{"conv \"1\"", 1000, 2500, 0, {}}, {"conv", 1000, 2500, 1, {{"instruction", 300}}}}}};
}

TEST(Trace, ChromeEventsAreInMicroseconds) {
  EXPECT_EQ(chrome_trace(tracks()),
            R"({"displayTimeUnit": "ns", "traceEvents": [
{"ph": "M", "name": "process_name", "pid": 0, "args": {"name": "core 0"}},
{"ph": "M", "name": "thread_name", "pid": 0, "tid": 0, "args": {"name": "matrix"}},
{"ph": "X", "name": "conv \"1\"", "pid": 0, "tid": 0, "ts": 1.000, "dur": 1.500, "args": {}},
{"ph": "X", "name": "conv", "pid": 0, "tid": 0, "ts": 1.000, "dur": 1.500, "args": {"instruction": 300}}
]}
)");
}

TEST(Trace, PerfettoPacketsAreProtobuf) {
  const std::string bytes = perfetto_trace({{"m", "", {{"a", 300, 301, 0, {{"n", 1}}}}}});
  const std::string expected(
      "\x0a\x0c\xe2\x03\x07\x08\x01\x12\x01m\x60\x01\x50\x01"     // Track 1, "m", rank 1.
      "\x0a\x16\x40\xac\x02\x5a\x0f\x48\x01\x58\x01\xba\x01\x01"  // At 300: begin, on track 1,
      "a\x22\x05\x52\x01n\x20\x01\x50\x01"                        // "a", with n = 1.
      "\x0a\x0b\x40\xad\x02\x5a\x04\x48\x02\x58\x01\x50\x01",
      14 + 24 + 13);  // At 301: end.
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace hadal::report
