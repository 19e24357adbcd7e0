// Where in a body the tiles of rings are written and read.
#pragma once

#include <map>

#include "tile/program.h"

namespace hadal::tile {

/// First and last statement of a body that writes, and that reads, a tile. What the ring's producer reads of it before
/// it hands it on counts to the writing.
struct Uses {
  int first_write = -1, last_write = -1, first_read = -1, last_read = -1;
};

/// Adds the uses of all tiles, by their numbers, in a statement at `position`.
void find_uses(const Program& program, const Phase& phase, const Statement& statement, int position,
               std::map<int, Uses>& uses);

/// Whether a loop takes slots of a ring: then a slot taken before it has no fixed distance to the newest.
bool takes(const Phase& phase, const Statement& statement, int ring);

/// Whether a body writes to memory what it does not store whole: then even its first load waits, as its stores do not.
bool updates(const std::vector<Statement>& statements);

}  // namespace hadal::tile
