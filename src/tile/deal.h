// Dealing the units of a grid of work to cores.
#pragma once

#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "isa/sharing.h"
#include "tile/expression.h"

namespace hadal::tile {

/// A set of dims of a grid, of which there are at most 16.
using Dims = std::bitset<16>;
inline Dims dims_of(std::initializer_list<bool> in) {
  Dims dims;
  for (size_t d = 0; d < in.size(); ++d) dims[d] = in.begin()[d];
  return dims;
}

/// How many units a core gets. `counts`: of units along each dim.
Expr trips_of(std::span<const int64_t> counts, int64_t cores);

/// Where a core's unit number `trip` lies. Equal shares are taken in one piece, as pages of the shared space are, so
/// that a core finds there what it stored; others, and all where `in_turn`, in turn.
std::vector<Expr> unit_at(std::span<const int64_t> counts, int64_t cores, const Expr& trip, bool in_turn = false);

/// Who may share a load that differs between units only along the dims of `varies`. Units that differ only in
/// neighbouring dims stand `step` apart, `size` of them: those share. Cores do where they work on such units at the
/// same time, in every round: core c on unit c, or where all have as many units, on c * rounds + i.
isa::Sharing sharing_of(std::span<const int64_t> counts, Dims varies, int64_t cores);

}  // namespace hadal::tile
