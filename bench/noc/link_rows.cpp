// Collectives on links between chips, as ASTRA-sim's analytical network times them with congestion.
#include "bench/noc/links.h"
#include "bench/noc/rows.h"
#include "network/collectives.h"

namespace hadal::bench {

using namespace network;

Result<Links> links_of(const Row& row, LinkTopology topology) {
  constexpr double giga = 1 << 30, ns_per_second = 1e9, quantum_ns = 1;
  constexpr int64_t most_chips = 4096;
  HADAL_TRY(const int64_t chips, row.integer("npus", 1, most_chips));
  HADAL_TRY(const double bandwidth, row.number("link_GBps", 1e-6, 1e9));
  HADAL_TRY(const double latency, row.number("link_latency_ns", 0, most_ns));
  return Links::make({topology, static_cast<uint32_t>(chips), bandwidth * giga / ns_per_second, latency, quantum_ns});
}

Status compare_time(const Row& row, double time_ns, Outcome& outcome) {
  outcome.predicted = {{"seconds", time_ns * 1e-9}, {"time_ns", time_ns}};
  HADAL_TRY(const auto measured, row.optional_number("time_ns"));
  if (measured && *measured > 0) outcome.comparison = Comparison{"time", time_ns, *measured};
  return {};
}

Result<Outcome> predict_links(const Row& row, Level /*level*/) {
  HADAL_TRY(const std::string topology, row.text("topology"));
  HADAL_TRY(const std::string pattern, row.text("pattern"));
  Outcome outcome{fmt::format("{} {}", topology, pattern)};
  const auto known_topology = link_topology(topology);
  const auto known_pattern = collective(pattern);
  if (!known_topology) outcome.skipped = known_topology.error().message;
  if (!known_pattern) outcome.skipped = known_pattern.error().message;
  if (!outcome.skipped.empty()) return outcome;

  HADAL_TRY(const double bytes, row.number("bytes", 0, most_bytes));
  HADAL_TRY(Links links, links_of(row, *known_topology));
  known_pattern->start(links, bytes);
  HADAL_CHECK(compare_time(row, links.finish(), outcome));
  outcome.predicted.emplace_back("messages", static_cast<double>(links.messages()));
  return outcome;
}

}  // namespace hadal::bench
