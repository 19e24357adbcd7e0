// Collectives cut into chunks, as ASTRA-sim's system layer runs them on its analytical network.
#include "bench/noc/links.h"
#include "bench/noc/rows.h"
#include "network/chunked.h"

namespace hadal::bench {

using namespace network;

Result<Outcome> predict_chunked(const Row& row, Level /*level*/) {
  constexpr int64_t most_chunks = 1 << 20;
  HADAL_TRY(const std::string collective, row.text("collective"));
  HADAL_TRY(const std::string name, row.text("algorithm"));
  HADAL_TRY(const std::string topology, row.text("topology"));
  Outcome outcome{fmt::format("{} {} {}", topology, name, collective)};
  const auto known_operation = operation(collective);
  const auto known_algorithm = algorithm(name);
  const auto known_topology = link_topology(topology);
  if (!known_operation) outcome.skipped = known_operation.error().message;
  if (!known_algorithm) outcome.skipped = known_algorithm.error().message;
  if (!known_topology) outcome.skipped = known_topology.error().message;
  if (!outcome.skipped.empty()) return outcome;

  ChunkedConfig config{*known_operation, *known_algorithm};
  HADAL_TRY(config.bytes, row.number("bytes", 0, most_bytes));
  HADAL_TRY(const int64_t chunks, row.integer("dataset_splits", 1, most_chunks));
  HADAL_TRY(const int64_t active, row.integer("active_chunks", 1, most_chunks));
  config.chunks = static_cast<uint32_t>(chunks);
  config.active_chunks = static_cast<uint32_t>(active);
  HADAL_TRY(config.endpoint_ns, row.number("endpoint_delay_ns", 0, most_ns));
  HADAL_TRY(config.memory_bytes_per_ns,
            row.number("local_mem_GBps", 0, 1e9));  // Here GB = 10^9, and 1 GB/s is 1 byte a ns.
  HADAL_TRY(Links links, links_of(row, *known_topology));
  auto time = run_chunked(links, config);
  if (!time) {
    outcome.skipped = time.error().message;
    return outcome;
  }
  HADAL_CHECK(compare_time(row, *time, outcome));
  return outcome;
}

}  // namespace hadal::bench
