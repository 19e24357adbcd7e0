// Rows of measured times: which operator, on which device.
#pragma once

#include <string>

#include "bench/operators/models.h"
#include "bench/table.h"

namespace hadal::bench {

/// A measured call. What no model stands for is `skipped`, by its reason.
struct Call {
  std::string chip;     ///< The shipped description of its device.
  std::string profile;  ///< That of its software; empty: there is none.
  std::string op;       ///< Rows that are listed together.
  graph::Graph graph;
  double measured_seconds = 0;
  std::string skipped;
};

/// Errors: table.kind, and those of the row's cells.
Result<Call> call_of(const Row& row);

}  // namespace hadal::bench
