// The search for tiles of matrix multiplications and convolutions.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "compile/emitter.h"
#include "compile/matrix_shape.h"

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
  int64_t stack = 1;   ///< Tiles of rows, one below the other, for which a core holds the weights: its unit of work.
  int64_t images = 1;  ///< Of a convolution; more than 1 are whole ones.
  bool panel = false;  ///< A core takes all columns of a tile's rows, and holds these; then `stack` is 1.
  bool whole = false;  ///< The core holds all of both operands, or of the stationary one where the other is near.
  double cycles = 0;   ///< What the search expects.
};

/// For each regard the best tiles in its eyes.
using RegardedTiles = std::map<Regard, std::vector<MatrixTile>>;

/// What searches found, by all that they see. Used by several threads.
class TileMemo {
 public:
  /// `regards`: that plans will have; one search finds tiles for all of them.
  explicit TileMemo(std::vector<Regard> regards) : regards_(std::move(regards)) {}
  struct Key {
    MatrixShape layer;
    int64_t cores = 1;
    double pace = 1;  ///< Of the plan.
    auto operator<=>(const Key&) const = default;
  };
  std::vector<MatrixTile> get(const Key& key, const Regard& regard,
                              const std::function<RegardedTiles(const std::vector<Regard>&)>& search);

 private:
  std::vector<Regard> regards_;
  std::mutex mutex_;
  std::map<Key, RegardedTiles> tiles_;
};

/// Tiles that fit, a few that differ, those with the least estimated cycles first; none where none fits.
std::vector<MatrixTile> matrix_tiles(const Emitter& e, const MatrixLayer& layer);

/// That of the tiles, best first, which the plan takes for the layer; rows == 0 where there are none.
MatrixTile choose_tile(Emitter& e, const MatrixShape& layer, const std::vector<MatrixTile>& tiles);
/// The best few that differ, best first.
std::vector<MatrixTile> best_tiles(const std::vector<MatrixTile>& tiles);

}  // namespace hadal::compile
