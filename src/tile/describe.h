// Everything of a program but its code.
#pragma once

#include "tile/lower.h"
#include "tile/program.h"

namespace hadal::tile {

/// Regions, tensors, ports, layers and limits. The descriptors of rings, one a ring and type, stand behind those of the
/// tensors.
void describe(const Program& in, const Target& target, const Placement& placement, isa::Program& out);

/// Drops descriptors of rings that no view has: of the types that a ring never held.
void drop_unseen(isa::Program& program);

/// What the chip must have, from the code.
void state_needs(isa::Program& program);

}  // namespace hadal::tile
