// What a program was made from, for who compares its values with the model's.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hadal::compile {

/// A value of the graph that a layer stores. Element i along each dim lies i * stride further.
struct StoredValue {
  graph::ValueId value = graph::absent;
  size_t layer = 0;            ///< Whose instructions store it; the last, where several do.
  std::vector<size_t> layers;  ///< All that store some of it.
  uint16_t region = 0;
  int64_t offset = 0;            ///< Bytes into the region.
  std::vector<int64_t> strides;  ///< Bytes, of each dim of the value.
};

/// The graph as the passes left it, and the values that are stored, in the order of layers.
struct Lowered {
  graph::Graph graph;
  std::vector<StoredValue> values;
};

}  // namespace hadal::compile
