// What a measured call takes by the compiler and the timing machine.
#pragma once

#include <cstdint>

#include "chip/chip.h"
#include "compile/profile.h"
#include "graph/graph.h"

namespace hadal::bench {

struct Prediction {
  double seconds = 0;
  int64_t cycles = 0;
};

/// Compiles as `hadal run` does, with the schedules of a profile's software where one is given, and times the program.
Result<Prediction> predict(const graph::Graph& graph, const chip::Chip& chip, const compile::Profile* profile);

}  // namespace hadal::bench
