// The matrix, vector and host queues.
#include <algorithm>

#include "machine/timing/machine.h"

namespace hadal::machine::timing {

namespace {
constexpr auto matrix = static_cast<uint8_t>(isa::Queue::matrix);
}

/// When the queue's unit can take the entry: the array, with a tile of accumulators to work in; or the lanes, or the
/// host.
Time Machine::unit_free(Core& state, uint8_t queue, const Entry& entry) const {
  if (entry.idle) return 0;
  if (queue == matrix) return std::max(state.array_free, state.tiles[state.tile]);
  return state.queues[queue].last_end;
}

/// The array is free for the next instruction when the last row has entered. Results leave as they come out of the
/// array, one tile of columns after another; with more than one tile of accumulators the array works on meanwhile.
Time Machine::run_matrix(Core& state, const Entry& entry, Time now) {
  const Time hidden = now - entry.ready;  // Its weights entered while it waited for the array.
  const Time preload = std::max<Time>(0, clock_.time(entry.cost.preload) - hidden);
  const Time begin = now + preload, fill = clock_.time(entry.cost.fill);
  state.array_free = begin + clock_.time(entry.cost.cycles);
  const Time summed = state.array_free + fill;
  if (!entry.emits) return summed;
  const Time leave = std::max(begin + clock_.time(entry.cost.emit_lead) + fill, state.output_free);
  state.output_free = std::max(summed + clock_.time(entry.cost.emit_tail), leave + clock_.time(entry.cost.emit));
  state.tiles[state.tile] = state.output_free;
  state.tile = (state.tile + 1) % state.tiles.size();
  return state.output_free;
}

void Machine::start(uint32_t core, Core& state, uint8_t queue, const Entry& entry, Time now) {
  QueueState& own = state.queues[queue];
  const Time waited_from = std::max({entry.issued, std::min(now, unit_free(state, queue, entry)), own.free});
  Time end = now;
  if (!entry.idle) end = queue == matrix ? run_matrix(state, entry, now) : now + clock_.time(entry.cost.cycles);
  own.last_end = std::max(own.last_end, end);
  finish(core, queue, entry, {.waited_from = waited_from, .begin = now, .end = own.last_end});
}

}  // namespace hadal::machine::timing
