// Element-wise chains, and copies between layouts.
#include <algorithm>
#include <numeric>

#include "compile/tiling.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

void emit_chain(Emitter& e, const std::string& name, const std::string& op, const Placed& out,
                const std::vector<MapOperand>& operands, const isa::Chain& chain) {
  IndexSpace space{out.extents, {out.strides}};
  int64_t widest = bytes_of(out.dtype);
  for (const MapOperand& operand : operands) {
    space.strides.push_back(operand.strides);
    widest = std::max<int64_t>(widest, bytes_of(operand.placed.dtype));
  }
  space = merged(space, order_by_strides(out.strides));
  // Where a profile has large tiles, more operands than two share the room of one.
  const bool large = e.plan().profile && e.plan().profile->layers.row_bytes > 0;
  const int64_t sharing = large && operands.size() > 2 ? std::ssize(operands) : 1;
  const int64_t most = std::min(e.limit(Ring::stream), e.limit(Ring::output)) / widest / sharing;
  const auto tile = choose_tile(space.extents, tile_elements(e, total_of(space.extents), most));
  const auto counts = counts_of(space.extents, tile);
  e.begin_phase(name, op, e.nodes());
  const int to = e.tensor(in_space(out, space, 0), name);
  std::vector<int> from;
  for (size_t i = 0; i < operands.size(); ++i)
    from.push_back(e.tensor(in_space(operands[i].placed, space, i + 1), operands[i].name));
  // A constant that every tile reads whole is loaded once.
  const auto once = [&](size_t i) {
    int64_t bytes = bytes_of(operands[i].placed.dtype);
    for (size_t d = 0; d < counts.size(); ++d) {
      if (space.strides[i + 1][d] == 0) continue;
      if (counts[d] > 1) return false;
      bytes *= space.extents[d];
    }
    return operands[i].constant && bytes <= e.limit(Ring::constant);
  };
  std::vector<tile::Operand> views(operands.size() + 1);
  const TileBox whole = tile_box(space.extents, space.extents, std::vector<Expr>(space.extents.size()));
  for (size_t i = 0; i < operands.size(); ++i)
    if (once(i)) views[i + 1] = e.load(Ring::constant, window_of(from[i], space.strides[i + 1], whole), "c");
  const int number = e.add_chain(chain);
  e.units(counts, [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    std::vector<tile::Operand> used = views;
    for (size_t i = 0; i < operands.size(); ++i)
      if (!once(i)) used[i + 1] = e.load(Ring::stream, window_of(from[i], space.strides[i + 1], box), "x");
    const tile::TileView result{e.tile(Ring::output, out.dtype, "y"), box.extents};
    used[0] = result;
    e.emit(Opcode::map, Queue::vector, used, {Expr(number)});
    e.store({to, box.origins, box.extents}, result);
  });
}

void emit_map(Emitter& e, const Group& group) {
  const Placed out = e.result(group.result);
  std::vector<MapOperand> operands;
  for (const graph::ValueId v : group.streams) {
    const Placed placed = e.operand(v);
    operands.push_back(
        {placed, broadcast_strides(placed, out.extents), e.graph().value(v).name, e.graph().is_constant(v)});
  }
  const graph::Node& last = e.graph().nodes[static_cast<size_t>(group.nodes.back())];
  emit_chain(e, e.graph().value(group.result).name, std::string(last.op->name), out, operands, group.chain);
}

void emit_copy(Emitter& e, const Placed& from, const Placed& to, const std::string& name, const std::string& op,
               const std::vector<std::string>& nodes) {
  if (total_of(to.extents) == 0) return;
  IndexSpace space =
      merged({to.extents, {to.strides, broadcast_strides(from, to.extents)}}, order_by_strides(to.strides));
  const int64_t most = e.limit(Ring::copy) / bytes_of(to.dtype);
  const auto tile = choose_tile(space.extents, tile_elements(total_of(space.extents), e.cores(), most));
  e.begin_phase(name, op, nodes);
  const int to_tensor = e.tensor(in_space(to, space, 0), name);
  const int from_tensor = e.tensor(repeated(from, space, 1), name + ".from");
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    const tile::TileView view = e.load(Ring::copy, {from_tensor, box.origins, box.extents}, "x");
    e.store({to_tensor, box.origins, box.extents}, view);
  });
}

}  // namespace hadal::compile
