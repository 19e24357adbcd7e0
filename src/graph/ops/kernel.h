// A kernel of the caller's as a node: what it computes is a tile program, which the compiler is given by its number.
#pragma once

#include "graph/graph.h"

namespace hadal::graph {

/// The attributes of a node with these results; `name` is the kernel's.
Attributes kernel_attributes(int64_t number, const std::string& name, const std::vector<Type>& results);

namespace ops {

/// (x...) number, name, dtypes, ranks, extents: of the results. It has no reference: nobody but the chip computes it.
extern const Op kernel;

}  // namespace ops

}  // namespace hadal::graph
