#include "tile/ahead.h"

#include <algorithm>

namespace hadal::tile {

namespace {

/// What a slice ahead of its phase holds until the phase is through, at most, on any core.
struct Held {
  std::vector<int64_t> tiles;  ///< Of each ring.
  int64_t instructions = 0;
};

void count(const Program& program, const Phase& phase, const std::vector<Statement>& body, int64_t times, Held& held) {
  for (const Statement& statement : body) {
    if (statement.kind == Statement::Kind::loop) {
      count(program, phase, statement.body, times * std::max<int64_t>(statement.count.highest(), 0), held);
    } else if (statement.kind == Statement::Kind::tile) {
      const auto ring = static_cast<size_t>(phase.tiles[static_cast<size_t>(statement.tile)].ring);
      if (program.rings[ring].producer == isa::Queue::prefetch) held.tiles[ring] += times;
    } else if (statement.queue == isa::Queue::prefetch) {
      held.instructions += times;
    }
  }
}

Held held_by(const Program& program, size_t phase) {
  Held held{std::vector<int64_t>(program.rings.size(), 0)};
  count(program, program.phases[phase], program.phases[phase].body, 1, held);
  return held;
}

}  // namespace

bool has(Slice slice, const Program& program, const Phase& phase, const Statement& statement) {
  if (slice == Slice::all) return true;
  if (statement.kind == Statement::Kind::instruction) return has(slice, statement.queue);
  if (statement.kind != Statement::Kind::tile)
    return std::ranges::any_of(statement.body, [&](const Statement& s) { return has(slice, program, phase, s); });
  const Ring& ring = program.rings[static_cast<size_t>(phase.tiles[static_cast<size_t>(statement.tile)].ring)];
  return has(slice, ring.producer) || has(slice, ring.consumer);
}

bool prefetches_by_hand(const std::vector<Statement>& body, bool by_hand) {
  return std::ranges::any_of(body, [&](const Statement& statement) {
    if (statement.kind == Statement::Kind::instruction) return by_hand && statement.queue == isa::Queue::prefetch;
    return prefetches_by_hand(statement.body, by_hand || statement.kind == Statement::Kind::manual);
  });
}

std::vector<Step> steps_of(const Program& program, const Placement& placement, int64_t ahead) {
  std::vector<Step> steps;
  Held before{std::vector<int64_t>(program.rings.size(), 0)};  // Of phases whose slices stand further up.
  const auto add = [&](const Held& held, int64_t sign) {
    for (size_t r = 0; r < held.tiles.size(); ++r) before.tiles[r] += sign * held.tiles[r];
    before.instructions += sign * held.instructions;
  };
  const auto fits = [&](const Held& held) {
    for (size_t r = 0; r < held.tiles.size(); ++r)
      if (held.tiles[r] > 0 && before.tiles[r] + held.tiles[r] > placement.slots[r]) return false;
    return before.instructions + held.instructions <= ahead;
  };
  size_t next = 0;  // First phase of which nothing stands yet.
  for (size_t p = 0; p < program.phases.size(); ++p) {
    const bool stands = next > p;
    steps.push_back({p, stands ? Slice::rest : Slice::all});
    if (stands) add(held_by(program, p), -1);
    next = std::max(next, p + 1);
    for (; next < program.phases.size(); ++next) {
      const Held held = held_by(program, next);
      if (!fits(held) || prefetches_by_hand(program.phases[next].body)) break;
      if (held.instructions > 0) steps.push_back({next, Slice::ahead});
      add(held, 1);
    }
  }
  return steps;
}

}  // namespace hadal::tile
