// Tiles of products that measured software knows.
#pragma once

#include "compile/tile_search.h"

namespace hadal::compile {

/// Of the tiles of the plan's profile, and parts of the contraction, the fastest by the software's own estimate: waves
/// of tiles over the cores at the pace of array or loads, or the traffic of memory, whichever is longer; where no cache
/// is shared, the first operands and the last results; the sums of a contraction in parts. rows == 0 where none fits,
/// or the profile has none for such a layer.
MatrixTile choose_known_product(const Emitter& e, const MatrixLayer& layer);
/// The fewest of the profile's tiles, all of whose operands a core holds (profile field matmul.whole_bytes); rows == 0
/// where they have no room.
MatrixTile choose_whole_product(const Emitter& e, const MatrixLayer& layer);
MatrixTile choose_known_convolution(const Emitter& e, const MatrixLayer& layer);

}  // namespace hadal::compile
