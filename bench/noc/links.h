// What rows about links between chips have in common.
#pragma once

#include "bench/noc/rows.h"
#include "network/links.h"

namespace hadal::bench {

inline constexpr double most_bytes = 1e15, most_ns = 1e15;

/// The links of a row, as the reference takes them: its GB is 2^30 bytes, and times on a link are cut to whole ns.
Result<network::Links> links_of(const Row& row, network::LinkTopology topology);

/// Puts the time, and the measured one, into the outcome.
Status compare_time(const Row& row, double time_ns, Outcome& outcome);

}  // namespace hadal::bench
