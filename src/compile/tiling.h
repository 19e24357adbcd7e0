// Index spaces of element-wise work and row work: merged dims, tiles, windows.
#pragma once

#include <cstdint>
#include <vector>

#include "compile/emitter.h"
#include "compile/rows.h"

namespace hadal::compile {

/// An index space that several operands walk together: extents, and each operand's byte strides.
struct IndexSpace {
  std::vector<int64_t> extents;
  std::vector<std::vector<int64_t>> strides;  ///< Of each operand.
};

/// Dims in `order`, without those of one element, neighbours merged where every operand allows. At least one dim is
/// left. `keep` last dims (of the order) are neither merged with those before nor dropped.
IndexSpace merged(const IndexSpace& space, const Order& order, size_t keep = 0);

/// Strides of an operand under NumPy broadcasting to `shape`: 0 where it repeats.
std::vector<int64_t> broadcast_strides(const Placed& operand, const Shape& shape);

/// Tile extents: the last `whole` dims whole, then from the innermost outwards until `elements`; even parts.
std::vector<int64_t> choose_tile(const std::vector<int64_t>& extents, int64_t elements, size_t whole = 0);

/// The same with any dims whole.
std::vector<int64_t> choose_tile(const std::vector<int64_t>& extents, int64_t elements, const std::vector<bool>& whole);

/// The order of dims by falling stride.
Order order_by_strides(const std::vector<int64_t>& strides);

/// A placed tensor seen over other dims: strides of 0 repeat, and have extent 1.
Placed placed_over(const Placed& placed, const std::vector<int64_t>& extents, const std::vector<int64_t>& strides);

/// The same over the dims that an index space has for one of its operands.
Placed in_space(const Placed& placed, const IndexSpace& space, size_t operand);
/// The same to be read by boxes of the whole space: a repeated dim is read again and again, by stride 0.
Placed repeated(const Placed& placed, const IndexSpace& space, size_t operand);

int64_t total_of(const std::vector<int64_t>& extents);

/// A good number of elements for a tile of `total`: every core gets work, a tile is worth its DMA descriptors, and at
/// most `most`.
int64_t tile_elements(int64_t total, int64_t cores, int64_t most);
/// The same, or up to four times as many where each core still gets eight tiles and has a large scratchpad: the memory
/// turns between reads and writes less often.
int64_t tile_elements(const Emitter& e, int64_t total, int64_t most);

/// False (and an error) where a row does not fit.
bool check_fit(Emitter& e, const RowFit& fit);

/// How many tiles each dim has.
std::vector<int64_t> counts_of(const std::vector<int64_t>& extents, const std::vector<int64_t>& tile);

/// Coordinates on a grid [batch..., rows, columns, parts] of the `unit`th tile, where `raster` rows of tiles are walked
/// together: down a column of them, then the next.
std::vector<Expr> rastered(const std::vector<int64_t>& counts, const Expr& unit, int64_t raster);

/// Where the tile at grid coordinates `at` begins, and how long it is.
struct TileBox {
  std::vector<Expr> origins, extents;
};
TileBox tile_box(const std::vector<int64_t>& extents, const std::vector<int64_t>& tile, const std::vector<Expr>& at);

/// The part of an operand that a tile needs: extent 1 at origin 0 where it repeats.
tile::Window window_of(int tensor, const std::vector<int64_t>& strides, const TileBox& box);

/// An operand of a chain: its strides over the result's dims, 0 where it repeats.
struct MapOperand {
  Placed placed;
  std::vector<int64_t> strides;
  std::string name;
  bool constant = false;
};
/// A phase that runs a chain over the result's elements.
void emit_chain(Emitter& e, const std::string& name, const std::string& op, const Placed& out,
                const std::vector<MapOperand>& operands, const isa::Chain& chain);

}  // namespace hadal::compile
