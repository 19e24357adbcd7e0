// Stores that copy nothing: what computes a tile writes it where it is stored.
#pragma once

#include <vector>

#include "machine/functional/events.h"

namespace hadal::machine {

/// Lets instructions write to memory whose tile is only stored, whole, in the same type, to a dense box; the stores
/// then do nothing. Between the two the core waits for no other core, so that all that comes before the store comes
/// before the instruction, and touches nothing of what is written.
void store_directly(std::vector<Event>& events, size_t cores);

}  // namespace hadal::machine
