// scatter: x is copied, unless it is state that changes in place; then the updates are written over it. An index may
// name any row, so that a core takes a part of all rows and all updates of it, in order.
#include <algorithm>

#include "compile/tiling.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

/// The dims in the result's order, the axis apart from those before and behind it.
struct ScatterSpace {
  IndexSpace space;  ///< Extents of the updates; strides of result, updates and index.
  size_t axis = 0;
};

ScatterSpace space_of(const Placed& out, const Placed& updates, const Placed& index, size_t axis) {
  const IndexSpace all{updates.extents, {out.strides, updates.strides, broadcast_strides(index, updates.extents)}};
  const Order order = order_by_strides(out.strides);
  const auto at = std::find(order.begin(), order.end(), axis);
  ScatterSpace result{merged(all, Order(order.begin(), at)), 0};
  IndexSpace& space = result.space;
  const auto append = [&](const IndexSpace& more) {
    space.extents.insert(space.extents.end(), more.extents.begin(), more.extents.end());
    for (size_t i = 0; i < space.strides.size(); ++i)
      space.strides[i].insert(space.strides[i].end(), more.strides[i].begin(), more.strides[i].end());
  };
  result.axis = space.extents.size();
  append(merged(all, {axis}, 1));
  append(merged(all, Order(at + 1, order.end())));
  return result;
}

/// Dims other than the axis are cut until all cores have a part, down to runs that are worth a transfer.
std::vector<int64_t> choose_scatter_tile(const Emitter& e, const ScatterSpace& s, int64_t most) {
  constexpr int64_t shortest_run = 32;
  const std::vector<int64_t>& extents = s.space.extents;
  auto tile = choose_tile(extents, tile_elements(total_of(extents), e.cores(), most));
  int64_t units = 1;
  for (size_t i = 0; i < extents.size(); ++i) units *= i == s.axis ? 1 : (extents[i] + tile[i] - 1) / tile[i];
  const int64_t parts = (e.cores() + units - 1) / units, run = (tile.back() + parts - 1) / parts;
  tile.back() = std::min(tile.back(), std::max(run, shortest_run));
  return tile;
}

int64_t combine_choice(const std::string& name) {
  const auto& choices = isa::row_of(Opcode::scatter)->fields[isa::at::scatter_combine].choices;
  return std::find(choices.begin(), choices.end(), name) - choices.begin();
}

}  // namespace

void emit_scatter(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const Placed x = e.operand(node.inputs[0]), index = e.operand(node.inputs[1]), updates = e.operand(node.inputs[2]),
               out = e.result(group.result);
  const std::string name = e.graph().value(group.result).name;
  if (x.storage != out.storage) emit_copy(e, x, out, name + ".copy", "scatter", e.nodes());  // Else it is state.

  const auto axis = static_cast<size_t>(node.attributes.integer("axis"));
  const ScatterSpace s = space_of(out, updates, index, axis);
  const int64_t most = e.limit(Ring::copy) / std::max(bytes_of(out.dtype), bytes_of(index.dtype));
  const std::vector<int64_t> tile = choose_scatter_tile(e, s, most);
  e.begin_phase(name, "scatter", e.nodes());
  Placed target = in_space(out, s.space, 0);
  target.extents[s.axis] = out.extents[axis];
  target.strides[s.axis] = out.strides[axis];
  Placed source = in_space(updates, s.space, 1);
  source.extents = s.space.extents;  // What is repeated is read again and again.
  const int to = e.tensor(target, name), from = e.tensor(source, name + ".updates"),
            indices = e.tensor(in_space(index, s.space, 2), name + ".index");
  std::vector<int64_t> counts = counts_of(s.space.extents, tile);
  const int64_t steps = std::exchange(counts[s.axis], 1);
  e.units(counts, [&](const std::vector<Expr>& at, const Expr&) {
    e.loop("s", Expr(steps), [&](const Expr& step) {
      std::vector<Expr> position = at;
      position[s.axis] = step;
      const TileBox box = tile_box(s.space.extents, tile, position);
      const TileView i = e.load(Ring::copy, window_of(indices, s.space.strides[2], box), "i"),
                     v = e.load(Ring::copy, {from, box.origins, box.extents}, "v");
      tile::Window window{to, box.origins, box.extents};
      window.origins[s.axis] = Expr(0);
      window.extents[s.axis] = Expr(out.extents[axis]);
      e.emit(Opcode::scatter, Queue::store, {window, v, i},
             {Expr(static_cast<int64_t>(s.axis)), Expr(combine_choice(node.attributes.text("combine", "set")))});
    });
  });
}

}  // namespace hadal::compile
