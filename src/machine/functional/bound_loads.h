// Loads that copy nothing: what they bring is read where it comes from.
#pragma once

#include <vector>

#include "machine/functional/events.h"
#include "machine/functional/memory_map.h"

namespace hadal::machine {

/// An operand that reads what a load brings.
struct BoundRead {
  uint32_t event = 0, operand = 0;
  uint32_t load = 0;     ///< The load's event.
  int64_t shift = 0;     ///< Bytes from the first of the load's source.
  bool strided = false;  ///< The operand's strides are to become `strides`.
  Dims strides{};
};

struct BoundLoads {
  std::vector<bool> bound;       ///< Of each event: a load that need not be done.
  std::vector<BoundRead> reads;  ///< Ascending by event; void where the load is not bound.
};

/// A load is bound where it changes no byte, its readers can do with the strides of its source, and that is not written
/// before its last reader, in the order of the events. (Who replays them in another order keeps that reader before the
/// next writer.)
BoundLoads bound_loads(const isa::Program& program, const std::vector<Event>& events, const MemoryMap& map,
                       size_t cores);

}  // namespace hadal::machine
