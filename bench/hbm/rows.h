// Reference rows: the memory and traffic that each describes.
#pragma once

#include <vector>

#include "bench/table.h"
#include "memory/device.h"
#include "memory/traffic.h"

namespace hadal::bench {

struct Case {
  memory::Device device;
  memory::Traffic traffic;
  double measured_cycles = 0;
  double measured_latency_ns = 0;  ///< 0: none.
};
/// The case of a row. Errors: bench.uncovered, whose message says what the model lacks; table.*, where a cell is wrong.
Result<Case> case_of(const Row& row, const std::vector<memory::Device>& devices);

}  // namespace hadal::bench
