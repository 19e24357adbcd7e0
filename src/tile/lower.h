// Tile program to instructions: places memory, allocates registers, derives semaphores.
#pragma once

#include <set>

#include "base/result.h"
#include "tile/program.h"

namespace hadal::tile {

/// What the target gives.
struct Target {
  int64_t cores = 1;
  int64_t scratchpad_bytes = 0, accumulator_bytes = 0, memory_bytes = 0;
  int64_t page_bytes = 4096;  ///< Of the shared space.
  bool resident = true;       ///< Storages may lie in the shared space; false: all lie in memory.
  int64_t ahead = 0;          ///< Prefetches of later phases that may stand before a phase.
};

struct Placement;

/// `placed` becomes where storages and rings lie, if it is given. Errors: memory that does not suffice (plan.capacity),
/// more registers or semaphores than there are.
Result<isa::Program> lower(const Program& program, const Target& target, Placement* placed = nullptr);

/// When phases wait for each other, and what follows for memory. Made by `order_phases`.
struct PhaseOrder {
  std::vector<std::vector<int>> waits;     ///< Phases whose stores a phase waits for, where no earlier phase has.
  std::vector<std::set<int>> awaited;      ///< The storages that these phases stored and it reads.
  std::vector<int> joined_at;              ///< First phase that waits for a phase's stores; -1: none.
  std::vector<int> first_write, last_use;  ///< Of each storage; -1: none.
  std::vector<int> free_from;              ///< First phase that may overwrite a storage; no phase: INT_MAX.
};
PhaseOrder order_phases(const Program& program);

/// Where storages and rings lie.
struct Placement {
  std::vector<uint16_t> region;  ///< Of each storage.
  std::vector<uint64_t> offset;
  std::vector<isa::Region> regions;
  std::vector<uint64_t> ring_offset, slot_bytes;
  std::vector<int> slots;
  uint64_t scratchpad_bytes = 0, shared_bytes_per_core = 0, memory_bytes = 0;
};
Result<Placement> place(const Program& program, const PhaseOrder& order, const Target& target);

}  // namespace hadal::tile
