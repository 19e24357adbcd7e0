// Quantisation of a trained float model: scales from the ranges of its values, and from its weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hadal::compile {

/// What a value's numbers are rounded within. Includes 0, which has a byte of its own.
struct Range {
  double low = 0, high = 0;
  std::vector<double> means = {};  ///< Of each channel: axis 1, or the last of a matrix.
  double loss = 0;                 ///< Squares of what rounding within it loses, as a share of those of the numbers.
};

/// The part of a range, from the whole down to a third of it, that loses least on some of the numbers: the least sum of
/// squared differences between a number and its byte.
Range least_loss(const Range& range, const std::vector<float>& numbers);

/// Values that become bytes: those that products with constant weights read, and what comes out behind such products
/// for element-wise work. Outputs of the graph stay what they are. The graph is simplified before.
std::vector<graph::ValueId> quantisable(const graph::Graph& graph);

/// Puts quantize and dequantize around each of these values, with one scale and zero point from its range, and
/// dequantize behind constant weights (i8, a scale for each output channel from its largest magnitude, zero point 0)
/// and biases (i32 in the scale of the product). What the rounding of weights adds to a channel's mean is taken off its
/// bias: Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, here with
/// measured means. Returns the names of products that stay in floats.
/// Errors: of Graph::add (a rule that makes an ill-typed node is a defect of the rule).
Result<std::vector<std::string>> quantise(graph::Graph& graph, const std::map<graph::ValueId, Range>& ranges);

}  // namespace hadal::compile
