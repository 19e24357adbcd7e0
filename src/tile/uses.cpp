#include "tile/uses.h"

#include <algorithm>

namespace hadal::tile {

void find_uses(const Program& program, const Phase& phase, const Statement& statement, int position,
               std::map<int, Uses>& uses) {
  for (const Statement& inner : statement.body) find_uses(program, phase, inner, position, uses);
  if (statement.kind != Statement::Kind::instruction) return;
  const isa::Row& row = *isa::row_of(statement.op);
  for (size_t i = 0; i < statement.operands.size(); ++i) {
    const auto* view = std::get_if<TileView>(&statement.operands[i]);
    if (!view) continue;
    const Ring& ring = program.rings[static_cast<size_t>(phase.tiles[static_cast<size_t>(view->tile)].ring)];
    Uses& use = uses[view->tile];
    const bool written = row.operands[i].written, apart = ring.producer != ring.consumer;
    const bool making = written || (apart && statement.queue == ring.producer && use.first_write >= 0);
    int& first = making ? use.first_write : use.first_read;
    int& last = making ? use.last_write : use.last_read;
    if (first < 0) first = position;
    last = position;
  }
}

bool takes(const Phase& phase, const Statement& statement, int ring) {
  if (statement.kind == Statement::Kind::tile) return phase.tiles[static_cast<size_t>(statement.tile)].ring == ring;
  return std::any_of(statement.body.begin(), statement.body.end(),
                     [&](const Statement& inner) { return takes(phase, inner, ring); });
}

bool updates(const std::vector<Statement>& statements) {
  return std::any_of(statements.begin(), statements.end(), [](const Statement& statement) {
    if (statement.kind != Statement::Kind::instruction) return updates(statement.body);
    const auto& operands = isa::row_of(statement.op)->operands;
    return std::any_of(operands.begin(), operands.end(), [](const isa::OperandRow& row) { return row.kept; });
  });
}

}  // namespace hadal::tile
