// Calibration: what range each value of a model has on samples, and the model in int8 that follows.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/inputs.h"

namespace hadal::runtime {

/// Quantises an imported float graph by the numbers that its values have on samples, which the graph's reference
/// computes. Each array holds samples of one input one after another along its first axis; all inputs have as many.
/// Returns what the user should know: how many tensors were quantised, and which products stay in floats.
/// Errors: input.name, input.type, input.shape; calibrate.samples (none, or of different counts); those of the
/// reference.
Result<std::vector<std::string>> calibrate(graph::Graph& graph, const std::vector<GivenInput>& samples);

}  // namespace hadal::runtime
