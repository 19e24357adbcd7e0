// State: inputs of a model that the next run finds as this one leaves an output.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "isa/program.h"

namespace hadal::compile {

/// Numbers of the inputs and outputs that pairs of names stand for; a `*` in both names stands for the same text, as in
/// "past.*" and "present.*". Errors: state.name (no such input or output, or one named twice), state.type (the two
/// differ in type or shape).
Result<std::vector<isa::State>> states_of(const graph::Graph& graph,
                                          const std::vector<std::pair<std::string, std::string>>& names);

}  // namespace hadal::compile
