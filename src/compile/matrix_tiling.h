// What matrix multiplications and convolutions do with their tiles: stacks, partial sums, operands of epilogues.
#pragma once

#include <vector>

#include "compile/tile_search.h"
#include "compile/tiling.h"

namespace hadal::compile {

/// Tiles of a stack, whose rows are dim `rows` of its box, and the `i`th of them.
Expr stack_tiles(const TileBox& stack, size_t rows, const MatrixTile& tile);
TileBox tile_of_stack(const TileBox& stack, size_t rows, const MatrixTile& tile, const Expr& i);

/// Partial sums [splits, dims of `out`...] of a split contraction.
Placed partial_sums(Emitter& e, const Placed& out, int64_t splits, const std::string& name);

/// One chain behind another: the result of the first is input 0 of the other, whose further inputs follow its own.
isa::Chain continued(isa::Chain first, const isa::Chain& then);

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

/// The part of operand `i` that an output tile needs.
tile::TileView load_operand(Emitter& e, const Epilogue& epilogue, size_t i, const TileBox& box, Ring ring,
                            const isa::Sharing& sharing = {});

/// Loads the vectors of constants by the prefetch queue, which `sharing` cores do together; others stay empty.
std::vector<tile::Operand> load_vectors(Emitter& e, const Epilogue& epilogue, const TileBox& box,
                                        const isa::Sharing& sharing);

/// Loads those that are empty, for an output tile, by the load queue; `sharing`, if given, is of each operand.
void load_tiles(Emitter& e, const Epilogue& epilogue, const TileBox& box, std::vector<tile::Operand>& operands,
                const std::vector<isa::Sharing>& sharing = {});

/// Whether to load the epilogue's operands before those of the product: they are needed last, but where they were
/// stored before `x` was, their loads need not wait for it.
bool epilogue_first(const Emitter& e, const std::vector<Placed>& streams, const Placed& x, int64_t chunks);

/// Offset of the accumulator tile of the `i`th output tile: two halves take turns, so that one empties while the other
/// fills.
Expr accumulator_offset(const Emitter& e, const Expr& i);

}  // namespace hadal::compile
