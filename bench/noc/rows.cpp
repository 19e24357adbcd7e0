#include "bench/noc/rows.h"

#include <array>
#include <cmath>

namespace hadal::bench {

namespace {

const std::array kinds{
    RowKind{"network",
            {"topology", "k", "routing", "num_vcs", "vc_buf_size", "traffic", "packet_size_flits"},
            predict_network},
    RowKind{"links", {"topology", "npus", "link_GBps", "link_latency_ns", "pattern", "bytes"}, predict_links},
    RowKind{"chunked",
            {"collective", "algorithm", "npus", "bytes", "topology", "link_GBps", "link_latency_ns", "dataset_splits",
             "active_chunks", "endpoint_delay_ns", "local_mem_GBps"},
            predict_chunked},
};

}  // namespace

double Comparison::error_percent() const {
  constexpr double percent = 100;
  return std::abs(predicted - measured) / measured * percent;
}

Result<const RowKind*> kind_of(const Table& table) {
  std::string wanted;
  for (const RowKind& kind : kinds) {
    size_t there = 0;
    for (const std::string_view column : kind.columns) there += table.column(column).has_value() ? 1 : 0;
    if (there == kind.columns.size()) return &kind;
    wanted += fmt::format("{}{}: {}", wanted.empty() ? "known are " : "; ", kind.name, fmt::join(kind.columns, ","));
  }
  return Error{"table.kind", "columns of no kind of rows that we know", table.file() + ":1", wanted};
}

}  // namespace hadal::bench
