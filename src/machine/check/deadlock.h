// Why no core goes on: who waits for whom.
#pragma once

#include <array>
#include <vector>

#include "isa/sequencer.h"
#include "isa/sharing.h"
#include "machine/check/walk.h"

namespace hadal::machine::check {

/// A core of the walk.
struct Core {
  isa::Sequencer sequencer;
  const isa::Instruction* pending = nullptr;  ///< Stands at its waits, or at a shared load.
  bool halted = false, waited = false;        ///< `pending` has taken its waits.
  uint64_t meeting = 0;                       ///< The shared load that it stands at.
  std::array<int64_t, isa::semaphores> counts{};
  std::array<uint32_t, engines> positions{};  ///< Instructions so far, of each queue.
};

/// The shared load that a core stands at; of one where it stands at another instruction.
inline isa::Sharing sharing_of(const Core& core) {
  return core.sequencer.dropped(*core.pending) ? isa::Sharing{} : isa::sharing_of(*core.pending);
}

/// Some core has not halted and none can go on. Follows from each core that stands to one that would let it go on; the
/// finding has the cycle, or the wait that nobody can meet (sync.C1, share.C1).
Finding deadlock_of(const isa::Program& program, const std::vector<Core>& cores);

}  // namespace hadal::machine::check
