// Rows: what a vector instruction takes in one piece, and how long one may be on a chip.
#pragma once

#include "chip/chip.h"
#include "compile/profile.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Elements of a row that must lie in one tile of the scratchpad, and how many may.
struct RowFit {
  int64_t row = 1, most = 1;
  [[nodiscard]] bool fits() const { return row <= most; }
};
/// Of a node that works on rows; others have none that is too long.
RowFit row_fit(const graph::Graph& graph, const graph::Node& node, const chip::Chip& chip,
               const Profile* profile = nullptr);

/// Whether the instruction applies the scale and bias of a `normalize` itself: they are there before any phase runs,
/// and exactly the normalised axes index them.
bool scales_inside(const graph::Graph& graph, const graph::Node& node);

}  // namespace hadal::compile
