// Tiles of matrix multiplications and convolutions, and the operands of their epilogues.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "compile/matrix_shape.h"
#include "compile/tiling.h"

namespace hadal::compile {

/// A layer for the search.
struct MatrixLayer : MatrixShape {
  /// Bytes of the streamed operand, or of one group's part of it, for a tile of `rows` and a chunk of `k`; the shape
  /// decides it.
  std::function<int64_t(int64_t rows, int64_t k)> stream_bytes;
};

struct MatrixTile {
  int64_t rows = 1, n = 1;
  int64_t row_pixels = 1;  ///< m of a row.
  int64_t k = 1;           ///< Of a chunk: what one instruction contracts.
  int64_t splits = 1;      ///< Parts of the contraction on different cores; more than 1 leaves partial sums to add.
  int64_t part = 1;        ///< Contraction of a part; chunks do not cross it.
  int64_t stack =
      1;  ///< Tiles of rows, one below the other, for which a core holds the weights: what it takes at once.
  int64_t images = 1;  ///< Of a convolution whose tiles are whole images.
  bool panel = false;  ///< A core takes all columns of a tile's rows, and holds these; then `stack` is 1.
  bool whole = false;  ///< The core holds all of both operands, or of the stationary one where the other is near.
  double cycles = 0;   ///< What the search expects.
};

/// What searches found, by all that they see. Used by several threads.
class TileMemo {
 public:
  struct Key {
    MatrixShape layer;
    int64_t cores = 1;
    double contended = 0, held = 0, pace = 1;  ///< Of the plan.
    auto operator<=>(const Key&) const = default;
  };
  std::vector<MatrixTile> get(const Key& key, const std::function<std::vector<MatrixTile>()>& search);

 private:
  std::mutex mutex_;
  std::map<Key, std::vector<MatrixTile>> tiles_;
};

/// Tiles that fit, a few that differ, those with the least estimated cycles first; none where none fits.
std::vector<MatrixTile> matrix_tiles(const Emitter& e, const MatrixLayer& layer);

/// That of the tiles, best first, which the plan takes for the layer; rows == 0 where there are none.
MatrixTile choose_tile(Emitter& e, const MatrixShape& layer, const std::vector<MatrixTile>& tiles);
/// Sorts tiles of several searches, and leaves the best few that differ.
std::vector<MatrixTile> best_tiles(std::vector<MatrixTile> tiles);

/// Tiles of a stack, whose rows are dim `rows` of its box, and the `i`th of them.
Expr stack_tiles(const TileBox& stack, size_t rows, const MatrixTile& tile);
TileBox tile_of_stack(const TileBox& stack, size_t rows, const MatrixTile& tile, const Expr& i);

/// Partial sums [splits, dims of `out`...] of a split contraction.
Placed partial_sums(Emitter& e, const Placed& out, int64_t splits, const std::string& name);

/// A phase that adds partial sums and runs the group's epilogue. `strides` are the streams' over the dims of `out`.
void emit_combine(Emitter& e, const Group& group, const Placed& partial, const Placed& out,
                  const std::vector<Placed>& streams, const std::vector<std::vector<int64_t>>& strides,
                  const std::string& op);

/// The operands of an epilogue, for views of rank 3 [1, m, n], or 5 for convolutions.
struct Epilogue {
  const Group& group;
  const std::vector<Placed>& streams;
  const std::vector<int>& tensors;
  const std::vector<std::vector<int64_t>>& strides;  ///< Each stream's over the dims of a box.
  size_t rank;
};

/// Loads the vectors of constants by the prefetch queue, which `sharing` cores do together; others stay empty.
std::vector<tile::Operand> load_vectors(Emitter& e, const Epilogue& epilogue, const TileBox& box,
                                        const isa::Sharing& sharing);

/// Loads those that are empty, for an output tile, by the load queue.
void load_tiles(Emitter& e, const Epilogue& epilogue, const TileBox& box, std::vector<tile::Operand>& operands);

/// Whether to load the epilogue's operands before those of the product: they are needed last, but where they were
/// stored before `x` was, their loads need not wait for it.
bool epilogue_first(const Emitter& e, const std::vector<Placed>& streams, const Placed& x, int64_t chunks);

/// Offset of the accumulator tile of the `i`th output tile: two halves take turns, so that one empties while the other
/// fills.
Expr accumulator_offset(const Emitter& e, const Expr& i);

}  // namespace hadal::compile
