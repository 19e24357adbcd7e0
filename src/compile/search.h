// Trying plans on the timing machine.
#pragma once

#include <vector>

#include "compile/compile.h"
#include "compile/emitter.h"

namespace hadal::compile {

/// The plan whose program takes the fewest cycles by `options.cycles`; all cores, where that is not given.
Plan choose_plan(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                 const chip::Chip& chip, const Options& options);

}  // namespace hadal::compile
