// Collectives on links between chips, as ASTRA-sim's analytical network times them with congestion.
#include "bench/noc/rows.h"
#include "network/collectives.h"

namespace hadal::bench {

using namespace network;

namespace {

constexpr double giga = 1 << 30;  // What the reference takes GB for.
constexpr double reference_quantum_ns = 1;

}  // namespace

Result<Outcome> predict_links(const Row& row, Level /*level*/) {
  HADAL_TRY(const std::string topology, row.text("topology"));
  HADAL_TRY(const std::string pattern, row.text("pattern"));
  Outcome outcome{fmt::format("{} {}", topology, pattern)};
  LinkConfig config;
  const auto known_topology = link_topology(topology);
  const auto known_pattern = collective(pattern);
  if (!known_topology) outcome.skipped = known_topology.error().message;
  if (!known_pattern) outcome.skipped = known_pattern.error().message;
  if (!outcome.skipped.empty()) return outcome;

  constexpr double most = 1e15;
  config.topology = *known_topology;
  HADAL_TRY(const int64_t chips, row.integer("npus", 1, 4096));
  config.chips = static_cast<uint32_t>(chips);
  HADAL_TRY(const double bandwidth, row.number("link_GBps", 1e-6, 1e9));
  config.bytes_per_ns = bandwidth * giga / 1e9;
  HADAL_TRY(config.latency_ns, row.number("link_latency_ns", 0, most));
  config.quantum_ns = reference_quantum_ns;
  HADAL_TRY(const double bytes, row.number("bytes", 0, most));
  HADAL_TRY(Links links, Links::make(config));
  known_pattern->start(links, bytes);
  const double time = links.finish();
  outcome.predicted = {
      {"seconds", time * 1e-9}, {"time_ns", time}, {"messages", static_cast<double>(links.messages())}};
  HADAL_TRY(const auto measured, row.optional_number("time_ns"));
  if (measured && *measured > 0) outcome.comparison = Comparison{"time", time, *measured};
  return outcome;
}

}  // namespace hadal::bench
