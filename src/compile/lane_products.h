// Products of types that the chip's array does not multiply, on the lanes.
#pragma once

#include "base/result.h"
#include "chip/chip.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Matrix products of f64, and of integers of 16 bits and more, become element-wise ones and sums where the array has
/// no rate for the type and the products are not too many.
Status multiply_on_lanes(graph::Graph& graph, const chip::Chip& chip);

}  // namespace hadal::compile
