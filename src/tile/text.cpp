// The tile program as text.
#include <fmt/ranges.h>

#include "base/result.h"
#include "tile/program.h"

namespace hadal::tile {

namespace {

std::string list(const std::vector<Expr>& exprs) {
  std::string out;
  for (const Expr& e : exprs) out += (out.empty() ? "" : ", ") + e.text();
  return out;
}

std::string tile_text(const Program& program, const Phase& phase, const TileView& view) {
  const Tile& tile = phase.tiles[static_cast<size_t>(view.tile)];
  const bool by_hand = program.rings[static_cast<size_t>(tile.ring)].by_hand;
  return fmt::format("{}{}[{}]", tile.name, by_hand ? fmt::format("({})", view.slot.text()) : "", list(view.extents));
}

std::string syncs_text(const Program& program, const char* word, const std::vector<isa::Sync>& syncs) {
  std::string out;
  for (const isa::Sync& sync : syncs)
    out += fmt::format("{}{} * {}{}", out.empty() ? fmt::format(" {} ", word) : ", ",
                       printable(program.semaphores[sync.id].name), sync.count, sync.everywhere ? " everywhere" : "");
  return out;
}

std::string operand_text(const Program& program, const Phase& phase, const Operand& operand) {
  if (const auto* tile = std::get_if<TileView>(&operand)) return tile_text(program, phase, *tile);
  if (const auto* window = std::get_if<Window>(&operand)) {
    const Tensor& tensor = program.tensors[static_cast<size_t>(window->tensor)];
    return fmt::format("{}[{} +: {}]", printable(tensor.name), list(window->origins), list(window->extents));
  }
  return "-";
}

void statement_text(const Program& program, const Phase& phase, const Statement& statement, int depth,
                    std::string& out) {
  out.append(static_cast<size_t>(depth) * 2, ' ');
  if (statement.kind == Statement::Kind::tile) {
    const Tile& tile = phase.tiles[static_cast<size_t>(statement.tile)];
    out += fmt::format("tile {} {} in {}\n", tile.name, name_of(tile.dtype),
                       program.rings[static_cast<size_t>(tile.ring)].name);
    return;
  }
  if (statement.kind != Statement::Kind::instruction) {
    out += statement.kind == Statement::Kind::manual
               ? "manual\n"
               : fmt::format("loop {}, {}\n", statement.index.text(), statement.count.text());
    for (const Statement& inner : statement.body) statement_text(program, phase, inner, depth + 1, out);
    return;
  }
  const isa::Row& row = *isa::row_of(statement.op);
  out += fmt::format("{}.{}", name_of(statement.queue), row.name);
  for (size_t i = 0; i < statement.operands.size(); ++i)
    if (!std::holds_alternative<std::monostate>(statement.operands[i]))
      out += fmt::format(" {}={}", row.operands[i].name, operand_text(program, phase, statement.operands[i]));
  for (size_t i = 0; i < statement.fields.size(); ++i) {
    const Expr& field = statement.fields[i];
    if (!field.is_constant() || field.constant() != row.fields[i].otherwise)
      out += fmt::format(" {} {}", row.fields[i].name, field.text());
  }
  out += syncs_text(program, "wait", statement.waits) + syncs_text(program, "signal", statement.signals) + '\n';
}

}  // namespace

std::string text_of(const Program& program) {
  std::string out = fmt::format("tile program {}\n", printable(program.model));
  for (const Storage& storage : program.storages)
    out += fmt::format("storage {} {} bytes\n", printable(storage.name), storage.bytes);
  for (const Tensor& tensor : program.tensors)
    out += fmt::format("tensor {} {} [{}] strides [{}] in {} at {}\n", printable(tensor.name), name_of(tensor.dtype),
                       fmt::join(tensor.extents, ", "), fmt::join(tensor.strides, ", "),
                       printable(program.storages[static_cast<size_t>(tensor.storage)].name), tensor.offset);
  for (const isa::Semaphore& semaphore : program.semaphores)
    out += fmt::format("semaphore {} {} for {}\n", printable(semaphore.name), semaphore.initial,
                       name_of(semaphore.waiter));
  for (const Ring& ring : program.rings)
    if (ring.by_hand)
      out += fmt::format("ring {} by hand, {} slots\n", ring.name, ring.slots);
    else
      out += fmt::format("ring {} from {} to {}, {} to {} slots\n", ring.name, name_of(ring.producer),
                         name_of(ring.consumer), ring.slots, ring.most_slots);
  for (const Phase& phase : program.phases) {
    out += fmt::format("phase {} ({})\n", printable(phase.layer.name), phase.layer.op);
    for (const Statement& statement : phase.body) statement_text(program, phase, statement, 1, out);
  }
  return out;
}

}  // namespace hadal::tile
