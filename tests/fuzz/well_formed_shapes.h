// One instruction by chance: types, extents and fields that keep the rules of its row.
#pragma once

#include <optional>
#include <vector>

#include "fuzz/random.h"
#include "machine/program_builder.h"

namespace hadal::fuzz {

/// What is known of a tile's values, the most first.
enum class Trust : uint8_t {
  grid,   ///< Few significant bits: sums of products are exact, in whatever order.
  equal,  ///< The same from the fast kernels and the exact ones.
  close,  ///< Within a bound. They are moved and added from there on, but neither compared nor rounded to integers.
};

/// What an instruction reads or writes.
struct Tile {
  DType dtype = DType::f32;
  Shape shape;
  Trust trust = Trust::equal;
  double most = 2;  ///< No magnitude is larger, but for NaN and infinities, and results of poles.
  std::optional<std::pair<int64_t, int64_t>> range = {};  ///< Of what is loaded: integers of this range.
  bool is_finite = false;                                 ///< Of what is loaded: no NaN, no infinity.
};

struct Sample {
  isa::Opcode op = isa::Opcode::sync;
  std::vector<std::optional<Tile>> operands;  ///< In the order of the row.
  machine::ProgramBuilder::Fields fields;
  std::optional<size_t> previous = {};  ///< The operand that is the tile of the instruction before.
  std::vector<size_t> batched = {};     ///< Operands whose first axis may be cut to as many elements in all of them.
};

/// What a rule draws from.
struct Source {
  Random& random;
  machine::ProgramBuilder& builder;  ///< Takes chains and tables.
  const Tile* previous = nullptr;    ///< Of the instruction before, which may be read. Null where there is none.

  [[nodiscard]] int64_t of(int64_t least, int64_t most) { return random.between(least, most); }
  Shape shape(size_t least_rank, size_t most_rank);
  DType any_type();
  DType float_type();
  DType integer_type();  ///< Of an index.
  /// A tile that is loaded: on the grid half the time, else any numbers of its type.
  Tile loaded(DType dtype, const Shape& shape);
  Tile on_grid(DType dtype, const Shape& shape);
  Tile index(const Shape& shape, int64_t rows);
};

/// A chain on streams of these tiles that computes what `out`, whose type and shape are set, may hold: sets its trust
/// and bound. Its number.
int64_t draw_chain(Source& source, const std::vector<Tile>& streams, Tile& out);
/// A tile of the shape `out`, or 1 along some axes.
Tile broadcast(Source& source, DType dtype, const Shape& out);

/// Matrix instructions that add to the same sums.
inline constexpr int64_t most_parts = 3;

/// Draws an instruction of this opcode; nothing where there is no rule for it: what the sequencer does, load, store and
/// sync are parts of every program.
std::optional<Sample> draw(isa::Opcode op, Source& source);
std::optional<Sample> draw_matrix(isa::Opcode op, Source& source);
std::optional<Sample> draw_vector(isa::Opcode op, Source& source);

}  // namespace hadal::fuzz
