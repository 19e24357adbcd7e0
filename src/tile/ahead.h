// Prefetches ahead of the phases that need them.
//
// What the prefetch queue does in a phase depends on nothing that others do: its statements, with the loops around
// them, are a program of their own (a slice), which may stand further up. So a core asks for the weights of later
// phases while it still issues the work of earlier ones, as far as there are slots. Prefetches by hand stay where they
// are written: they may wait for what others signal.
#pragma once

#include "tile/lower.h"

namespace hadal::tile {

/// Which statements of a phase.
enum class Slice : uint8_t { all, ahead, rest };

struct Step {
  size_t phase = 0;
  Slice slice = Slice::all;
};

/// Whether a slice has what a queue does.
inline bool has(Slice slice, isa::Queue queue) {
  return slice == Slice::all || (slice == Slice::ahead) == (queue == isa::Queue::prefetch);
}
/// Whether a slice has anything of a statement; of a tile, its taking for the ring's producer or its consumer.
bool has(Slice slice, const Program& program, const Phase& phase, const Statement& statement);

/// Whether what is written by hand in a phase is in part the prefetch queue's: then it has one slice.
bool prefetches_by_hand(const std::vector<Statement>& body, bool by_hand = false);

/// All phases in order, with slices of later ones between them. In this order a slot is free when it is taken, so it is
/// one in which a core may execute; at most `ahead` instructions of later phases stand before one.
std::vector<Step> steps_of(const Program& program, const Placement& placement, int64_t ahead);

}  // namespace hadal::tile
