// What can be decided one way or another, and is tried.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "compile/matrix_shape.h"
#include "compile/profile.h"
#include "tile/program.h"

namespace hadal::compile {

/// Tiles that the search found before, for plans that differ in nothing that it sees (tile_search.h).
class TileMemo;

/// The tile program of a kernel that a node names by its number, for so many cores.
using KernelPrograms = std::function<Result<tile::Program>(int64_t number, int64_t cores)>;

/// How much counts of what a layer takes from others.
struct Regard {
  double contended = 0.5;  ///< Of its time at the memory, where other layers run meanwhile.
  double held = 0;         ///< Of the time that room for its weights takes from later layers.
  auto operator<=>(const Regard&) const = default;
};

/// What becomes of the scores of an attention.
enum class Scores : uint8_t {
  whole,   ///< Whole rows stay in the core; or as below, where these do not fit.
  online,  ///< Blocks of keys stay in the core.
  apart,   ///< They go through memory: its products and softmax are phases.
};

struct Plan {
  int64_t cores = 1;  ///< Of the chip's, those that work.
  Regard regard{};
  double pace = 1;                   ///< Share of the memory's bandwidth that layers reckon with.
  int weight_slots = 2;              ///< Tiles of weights that have room at least: more run further ahead of the array.
  bool whole = true;                 ///< Operands are loaded whole where the profile does that.
  Scores attention = Scores::whole;  ///< How attention is computed.
  const Profile* profile = nullptr;  ///< Measured software to obey; null: none.
  /// Of layers of the matrix engine, which of the tiles that the search found; absent: the first.
  std::map<MatrixShape, size_t> tiles{};
  std::shared_ptr<TileMemo> found = nullptr;  ///< Shared by plans of one compilation; null: every search is made.
  const KernelPrograms* kernels = nullptr;    ///< Null: no node is a kernel.
  std::set<std::string> far{};  ///< Values that found no room in the shared space, by the names of their storages.
};

/// Layers of the matrix engine that the search for tiles sees as one.
struct TileChoice {
  size_t tiles = 0;   ///< From which to choose.
  double cycles = 0;  ///< That the search expects of all these layers.
};

}  // namespace hadal::compile
