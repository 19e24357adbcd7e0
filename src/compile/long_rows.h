// Rows that no tile holds: reductions, normalisation, softmax, running sums and selection in pieces that fit.
#pragma once

#include "chip/chip.h"
#include "compile/profile.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Rewrites each node whose row does not fit a tile of the chip into nodes on pieces of it, until all fit. Partial
/// results are as wide as what the instruction sums in. Rows whose passes are layers of their own in the profile's
/// software are rewritten as well. A node that cannot be cut stays, and fails when it is emitted.
/// Errors: of Graph::add (a rule that makes an ill-typed node is a defect of the rule).
Status cut_long_rows(graph::Graph& graph, const chip::Chip& chip, const Profile* profile = nullptr);

}  // namespace hadal::compile
