// Lookups: rows of a table by the DMA, elements along an axis by the vector engine; and calls of the host.
#include <algorithm>
#include <numeric>

#include "compile/tiling.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

const graph::Node& main_of(const Emitter& e, const Group& group) {
  return e.graph().nodes[static_cast<size_t>(group.main)];
}

}  // namespace

void emit_gather(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const auto axis = static_cast<size_t>(node.attributes.integer("axis"));
  const Placed from = e.operand(node.inputs[0]), index = e.operand(node.inputs[1]), out = e.result(group.result);
  const size_t index_rank = index.extents.size(), rank = from.extents.size();
  // Result dims: [pre, index, post]. The table without its axis has [pre, post], whose dims merge where both allow.
  std::vector<int64_t> row_extents, row_out, row_in;
  for (size_t i = 0; i < rank; ++i) {
    if (i == axis) continue;
    const size_t at = i < axis ? i : i + index_rank - 1;
    row_extents.push_back(from.extents[i]);
    row_in.push_back(from.strides[i]);
    row_out.push_back(out.strides[at]);
  }
  const IndexSpace rows = merged(IndexSpace{row_extents, {row_out, row_in}}, row_major(row_extents.size()));
  const std::vector<int64_t> index_out(out.strides.begin() + static_cast<std::ptrdiff_t>(axis),
                                       out.strides.begin() + static_cast<std::ptrdiff_t>(axis + index_rank));
  const IndexSpace lookups = merged(IndexSpace{index.extents, {index_out, index.strides}}, row_major(index_rank));
  // [index..., row...]
  IndexSpace space = lookups;
  const size_t heads = lookups.extents.size();
  space.extents.insert(space.extents.end(), rows.extents.begin(), rows.extents.end());
  space.strides[0].insert(space.strides[0].end(), rows.strides[0].begin(), rows.strides[0].end());
  const int64_t most =
      std::min(e.limit(Ring::copy) / bytes_of(out.dtype), e.limit(Ring::index) / bytes_of(index.dtype));
  const auto tile = choose_tile(space.extents, tile_elements(total_of(space.extents), e.cores(), most));

  e.begin_phase(e.graph().value(group.result).name, "gather", e.nodes());
  Placed table = from, to = out, indices = index;
  table.extents = {from.extents[axis]};
  table.strides = {from.strides[axis]};
  table.extents.insert(table.extents.end(), rows.extents.begin(), rows.extents.end());
  table.strides.insert(table.strides.end(), rows.strides[1].begin(), rows.strides[1].end());
  to.extents = space.extents;
  to.strides = space.strides[0];
  indices.extents = lookups.extents;
  indices.strides = lookups.strides[1];
  const std::string name = e.graph().value(group.result).name;
  const int table_tensor = e.tensor(table, e.graph().value(node.inputs[0]).name, false), to_tensor = e.tensor(to, name);
  const int index_tensor = e.tensor(indices, e.graph().value(node.inputs[1]).name);
  e.count_bytes(
      from, std::min(from.extents[axis], total_of(lookups.extents)) * total_of(rows.extents) * bytes_of(from.dtype));
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    const auto head = static_cast<std::ptrdiff_t>(heads);
    const TileView i = e.load(Ring::index,
                              {index_tensor,
                               {box.origins.begin(), box.origins.begin() + head},
                               {box.extents.begin(), box.extents.begin() + head}},
                              "i");
    tile::Window window{table_tensor, {Expr(0)}, {Expr(from.extents[axis])}};
    window.origins.insert(window.origins.end(), box.origins.begin() + head, box.origins.end());
    window.extents.insert(window.extents.end(), box.extents.begin() + head, box.extents.end());
    const TileView x{e.tile(Ring::copy, out.dtype, "x"), box.extents};
    e.emit(Opcode::gather, Queue::load, {x, window, i}, {Expr(1)});
    e.store({to_tensor, box.origins, box.extents}, x);
  });
}

void emit_gather_elements(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const auto axis = static_cast<size_t>(node.attributes.integer("axis"));
  const Placed from = e.operand(node.inputs[0]), index = e.operand(node.inputs[1]), out = e.result(group.result);
  Order order = row_major(out.extents.size());
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(axis));
  order.push_back(axis);
  const IndexSpace space = merged({out.extents, {out.strides, index.strides, from.strides}}, order, 1);
  const RowFit fit = row_fit(e.graph(), node, e.chip());
  if (!check_fit(e, fit)) return;
  auto tile = choose_tile(
      space.extents,
      std::max<int64_t>(1, tile_elements(total_of(space.extents), e.cores(), fit.most) * out.extents[axis] / fit.row),
      1);
  e.begin_phase(e.graph().value(group.result).name, "gather_elements", e.nodes());
  Placed source = in_space(from, space, 2), places = in_space(index, space, 1);
  source.extents = places.extents = space.extents;  // What is repeated is read again and again.
  source.extents.back() = from.extents[axis];
  const int to = e.tensor(in_space(out, space, 0), e.graph().value(group.result).name),
            indices = e.tensor(places, e.graph().value(node.inputs[1]).name);
  const int table = e.tensor(source, e.graph().value(node.inputs[0]).name);
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    TileBox whole = box;
    whole.extents.back() = Expr(from.extents[axis]);
    const TileView x = e.load(Ring::stream, {table, whole.origins, whole.extents}, "x"),
                   i = e.load(Ring::stream, {indices, box.origins, box.extents}, "i");
    const TileView y{e.tile(Ring::output, out.dtype, "y"), box.extents};
    e.emit(Opcode::select_along, Queue::vector, {y, x, i}, {Expr(static_cast<int64_t>(space.extents.size()) - 1)});
    e.store({to, box.origins, box.extents}, y);
  });
}

}  // namespace hadal::compile
