// Collective operations cut into chunks that overlap, with what they cost at the chips.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "network/links.h"

namespace hadal::network {

enum class Operation { all_reduce, reduce_scatter, all_gather, all_to_all };

enum class Algorithm {
  ring,              ///< Every chip sends to the next, step by step.
  direct,            ///< Every chip sends to all others at once.
  halving_doubling,  ///< Chips exchange with partners at distance 1, 2, 4 …; a power of two of chips, no all_to_all.
};

/// "all_reduce", "reduce_scatter", "all_gather", "all_to_all". Errors: collective.operation.
Result<Operation> operation(std::string_view name);
/// "ring", "direct", "halvingDoubling". Errors: collective.algorithm.
Result<Algorithm> algorithm(std::string_view name);

struct ChunkedConfig {
  Operation operation = Operation::all_reduce;
  Algorithm algorithm = Algorithm::ring;
  /// all_reduce, reduce_scatter: the vector; all_gather: what each chip contributes; all_to_all: what each chip sends,
  /// its own part included.
  double bytes = 0;
  uint32_t chunks = 1;         ///< That are cut from it.
  uint32_t active_chunks = 1;  ///< Of a chip at a time; the next begins when one ends.
  double endpoint_ns = 0;      ///< At the chip before a chunk's first message, and after each step's last one.
  /// A step that reduces reads both operands and writes the sum, one after the other; 0: that takes no time.
  double memory_bytes_per_ns = 0;
};

/// Runs it on links that nothing else is on, and returns its time in ns. Errors: collective.chips, collective.chunks.
Result<double> run_chunked(Links& links, const ChunkedConfig& config);

}  // namespace hadal::network
