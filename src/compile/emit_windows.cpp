// Pooling, resizing and padding: results whose tiles need windows of the operand.
#include <algorithm>
#include <array>
#include <optional>

#include "compile/spatial.h"
#include "compile/tiling.h"
#include "graph/ops.h"
#include "graph/ops/resize.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

const graph::Node& main_of(const Emitter& e, const Group& group) {
  return e.graph().nodes[static_cast<size_t>(group.main)];
}

/// Resamples one axis of `in` into `out` by a table; both have the same extents but along `axis`.
void emit_resample(Emitter& e, const Placed& in, const Placed& out, size_t axis, const isa::ResampleTable& table,
                   const std::string& name, const std::string& op) {
  // The axis keeps its own dim: the dims before and behind it in memory merge.
  const Order order = order_by_strides(out.strides);
  const auto at = std::find(order.begin(), order.end(), axis) - order.begin();
  const Order outer(order.begin(), order.begin() + at), inner(order.begin() + at + 1, order.end());
  const IndexSpace space{out.extents, {out.strides, in.strides}};
  IndexSpace before = merged(space, outer), behind = merged(space, inner);
  IndexSpace all = before;
  const size_t dim = all.extents.size();
  all.extents.push_back(out.extents[axis]);
  all.extents.insert(all.extents.end(), behind.extents.begin(), behind.extents.end());
  for (size_t o = 0; o < 2; ++o) {
    all.strides[o].push_back(space.strides[o][axis]);
    all.strides[o].insert(all.strides[o].end(), behind.strides[o].begin(), behind.strides[o].end());
  }
  const int64_t bytes = std::max(bytes_of(out.dtype), bytes_of(in.dtype)), in_extent = in.extents[axis],
                out_extent = out.extents[axis];
  // A tile of t results reads the rows base .. base + reach of the operand, where
  // base = max(0, t * number * in / out - margin) covers what the table says for every tile.
  struct Reach {
    int64_t margin, rows;
  };
  const auto reach_of = [&](int64_t t) {
    Reach reach{0, 1};
    const auto bounds = [&](int64_t first) {
      std::pair<int64_t, int64_t> range{in_extent, 0};
      for (int64_t i = first * table.taps; i < std::min(first + t, out_extent) * table.taps; ++i) {
        range.first = std::min<int64_t>(range.first, table.indices[static_cast<size_t>(i)]);
        range.second = std::max<int64_t>(range.second, table.indices[static_cast<size_t>(i)] + 1);
      }
      return range;
    };
    for (int64_t first = 0; first < out_extent; first += t)
      reach.margin = std::max(reach.margin, first * in_extent / out_extent - bounds(first).first);
    for (int64_t first = 0; first < out_extent; first += t)
      reach.rows = std::max(reach.rows,
                            bounds(first).second - std::max<int64_t>(0, first * in_extent / out_extent - reach.margin));
    return Reach{reach.margin, std::min(reach.rows, in_extent)};
  };
  const int64_t most = std::min(e.limit(Ring::stream), e.limit(Ring::output)) / bytes;
  std::vector<int64_t> tile = choose_tile(all.extents, tile_elements(total_of(all.extents), e.cores(), most));
  const auto inner_elements = [&] {
    int64_t n = 1;
    for (size_t i = dim + 1; i < tile.size(); ++i) n *= tile[i];
    for (size_t i = 0; i < dim; ++i) n *= tile[i];
    return n;
  };
  while (reach_of(tile[dim]).rows * inner_elements() > most) {
    size_t widest = tile.size();
    for (size_t i = 0; i < tile.size(); ++i)
      if (i != dim && tile[i] > 1 && (widest == tile.size() || tile[i] > tile[widest])) widest = i;
    if (tile[dim] > 1 && (widest == tile.size() || tile[dim] > 4)) widest = dim;
    if (widest == tile.size())
      return e.fail("plan.capacity", "the window of a resampled tile does not fit the scratchpad");
    tile[widest] = (tile[widest] + 1) / 2;
  }
  const Reach reach = reach_of(tile[dim]);
  e.begin_phase(name, op, e.nodes());
  Placed source = in;
  source.extents = all.extents;
  source.extents[dim] = in_extent;
  source.strides = all.strides[1];
  const int to = e.tensor(in_space(out, all, 0), name), from = e.tensor(source, name + ".in"),
            number = e.add_table(table);
  e.units(counts_of(all.extents, tile), [&](const std::vector<Expr>& at_unit, const Expr&) {
    const TileBox box = tile_box(all.extents, tile, at_unit);
    TileBox window = box;
    const Expr base =
        max(Expr(0), floor_div(box.origins[dim] * Expr(in_extent), Expr(out_extent)) - Expr(reach.margin));
    window.origins[dim] = base;
    window.extents[dim] = min(Expr(reach.rows), Expr(in_extent) - base).within(1, reach.rows);
    const TileView x = e.load(Ring::stream, {from, window.origins, window.extents}, "x");
    const TileView y{e.tile(Ring::output, out.dtype, "y"), box.extents};
    e.emit(Opcode::resample, Queue::vector, {y, x},
           {Expr(static_cast<int64_t>(dim)), Expr(number), box.origins[dim], base});
    e.store({to, box.origins, box.extents}, y);
  });
}

/// Resamples axis after axis; the last writes the result.
void emit_tables(Emitter& e, const Group& group, const std::vector<std::pair<size_t, isa::ResampleTable>>& tables,
                 const std::string& op) {
  const graph::Node& node = main_of(e, group);
  Placed in = e.operand(node.inputs[0]);
  const Placed out = e.result(group.result);
  const std::string name = e.graph().value(group.result).name;
  if (tables.empty()) return emit_copy(e, in, out, name, op, e.nodes());
  for (size_t i = 0; i < tables.size(); ++i) {
    const auto& [axis, table] = tables[i];
    Shape extents = in.extents;
    extents[axis] = out.extents[axis];
    const bool last = i + 1 == tables.size();
    const Placed to =
        last ? out : e.scratch(fmt::format("{}.{}", name, i), DType::f32, extents, order_by_strides(out.strides));
    emit_resample(e, in, to, axis, table, last ? name : fmt::format("{}.{}", name, i), op);
    if (e.failed()) return;
    in = to;
  }
}

/// Positions that a padded axis repeats.
isa::ResampleTable pad_table(int64_t extent, int64_t low, int64_t high, const std::string& mode) {
  isa::ResampleTable table;
  for (int64_t i = -low; i < extent + high; ++i) {
    int64_t at = i;
    if (mode == "edge") {
      at = std::clamp<int64_t>(i, 0, extent - 1);
    } else if (mode == "wrap") {
      at = ((i % extent) + extent) % extent;
    } else if (extent > 1) {
      const int64_t period = 2 * (extent - 1), phase = ((i % period) + period) % period;
      at = phase < extent ? phase : period - phase;
    } else {
      at = 0;
    }
    table.indices.push_back(static_cast<int32_t>(at));
    table.weights.push_back(1.0f);
  }
  return table;
}

}  // namespace

void emit_resize(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  auto tables = graph::resize_tables(e.graph().type(node.inputs[0]).shape, node.attributes);
  if (!tables) return e.fail(tables.error().code, tables.error().message, tables.error().remedy);
  std::vector<std::pair<size_t, isa::ResampleTable>> list;
  for (const graph::ResizeTable& from : *tables) {
    isa::ResampleTable table;
    table.taps = static_cast<uint32_t>(from.taps);
    table.weights = from.weights;
    for (const int64_t index : from.indices) table.indices.push_back(static_cast<int32_t>(std::max<int64_t>(0, index)));
    list.emplace_back(static_cast<size_t>(from.axis), std::move(table));
  }
  emit_tables(e, group, list, "resize");
}

void emit_pad(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const auto low = node.attributes.integers("low"), high = node.attributes.integers("high");
  const std::string mode = node.attributes.text("mode", "constant"), name = e.graph().value(group.result).name;
  const Placed in = e.operand(node.inputs[0]), out = e.result(group.result);
  if (mode != "constant") {
    std::vector<std::pair<size_t, isa::ResampleTable>> list;
    for (size_t axis = 0; axis < low.size(); ++axis)
      if (low[axis] != 0 || high[axis] != 0)
        list.emplace_back(axis, pad_table(in.extents[axis], low[axis], high[axis], mode));
    return emit_tables(e, group, list, "pad");
  }
  const Order order = order_by_strides(out.strides);
  IndexSpace space;
  space.strides.resize(2);
  std::vector<int64_t> before;
  Shape in_extents;
  for (const size_t dim : order) {  // No dims merge: each has its own padding.
    space.extents.push_back(out.extents[dim]);
    space.strides[0].push_back(out.strides[dim]);
    space.strides[1].push_back(in.strides[dim]);
    in_extents.push_back(in.extents[dim]);
    before.push_back(low[dim]);
  }
  const int64_t most = e.limit(Ring::copy) / bytes_of(out.dtype);
  const auto tile = choose_tile(space.extents, tile_elements(total_of(space.extents), e.cores(), most));
  e.begin_phase(name, "pad", e.nodes());
  Placed source = in;
  source.extents = in_extents;
  source.strides = space.strides[1];
  const int to = e.tensor(in_space(out, space, 0), name), from = e.tensor(source, e.graph().value(node.inputs[0]).name);
  const Expr value = real_field(node.attributes.number("value"));
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    tile::Window window{from, box.origins, box.extents};
    for (size_t i = 0; i < before.size(); ++i) window.origins[i] = window.origins[i] - Expr(before[i]);
    const TileView view{e.tile(Ring::copy, in.dtype, "x"), box.extents};
    e.emit(Opcode::load, Queue::load, {view, window}, {Expr(1), value});
    e.store({to, box.origins, box.extents}, view);
  });
}

namespace {

/// The tile of a pool's result [N, D, H, W, C], or none where the window of not even one element fits.
std::optional<std::vector<int64_t>> pool_tile(const Emitter& e, const Placed& in, const Placed& out, const Windows& w) {
  const int64_t bytes = std::max(bytes_of(in.dtype), bytes_of(out.dtype));
  std::vector<int64_t> tile{1, 1, even_part(w.out[1], std::max<int64_t>(1, w.out[1] / e.cores())), w.out[2],
                            out.extents[4]};
  const auto fits = [&] {
    int64_t window = tile[4] * bytes, result = tile[4] * bytes;
    for (size_t d = 0; d < spatial; ++d) {
      window *= std::min((tile[d + 1] - 1) * w.stride[d] + (w.kernel[d] - 1) * w.dilation[d] + 1, w.in[d]);
      result *= tile[d + 1];
    }
    return window <= e.limit(Ring::stream) && result <= e.limit(Ring::output);
  };
  // Rows first, then channels, then width.
  for (const size_t dim : {size_t{2}, size_t{4}, size_t{3}})
    while (tile[dim] > 1 && !fits()) tile[dim] = (tile[dim] + 1) / 2;
  if (!fits()) return std::nullopt;
  // Few rows: the channels are split over the cores as well.
  const auto units = [&] { return total_of(counts_of(out.extents, tile)); };
  while (units() < e.cores() && tile[4] > 64) tile[4] = (tile[4] + 1) / 2;
  return tile;
}

struct Pooling {
  bool is_max = false, counts_pad = false;
};

void emit_pooling(Emitter& e, const Placed& in, const Placed& out, const Windows& w, const std::vector<int64_t>& tile,
                  const Pooling& kind, const std::string& name) {
  e.begin_phase(name, "pool", e.nodes());
  const int to = e.tensor(out, name), from = e.tensor(in, name + ".in");
  e.units(counts_of(out.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(out.extents, tile, at);
    std::array<InputWindow, spatial> windows;
    for (size_t d = 0; d < spatial; ++d) windows[d] = input_window(w, d, box.origins[d + 1], box.extents[d + 1]);
    const TileView window =
        e.load(Ring::stream,
               {from,
                {box.origins[0], windows[0].origin, windows[1].origin, windows[2].origin, box.origins[4]},
                {Expr(1), windows[0].extent, windows[1].extent, windows[2].extent, box.extents[4]}},
               "x");
    const TileView result{e.tile(Ring::output, out.dtype, "y"), box.extents};
    e.emit(Opcode::pool, Queue::vector, {result, window},
           {Expr(kind.is_max ? 0 : 1), w.kernel[0], w.kernel[1], w.kernel[2], w.stride[0], w.stride[1], w.stride[2],
            w.dilation[0], w.dilation[1], w.dilation[2], windows[0].before, windows[1].before, windows[2].before,
            windows[0].after, windows[1].after, windows[2].after, Expr(kind.counts_pad ? 1 : 0)});
    e.store({to, box.origins, box.extents}, result);
  });
}

/// The largest of a window is that of its largest along each axis: windows that no tile holds become lines.
void emit_max_by_axis(Emitter& e, Placed in, const Placed& out, const Windows& w, const std::string& name) {
  size_t left = 0;
  for (size_t d = 0; d < spatial; ++d) left += w.kernel[d] > 1 || w.stride[d] > 1;
  for (size_t d = spatial; d-- > 0;) {
    if (w.kernel[d] == 1 && w.stride[d] == 1) continue;
    Windows line;
    for (size_t i = 0; i < spatial; ++i) line.in[i] = line.out[i] = in.extents[i + 1];
    line.kernel[d] = w.kernel[d], line.stride[d] = w.stride[d], line.dilation[d] = w.dilation[d];
    line.pad[d] = w.pad[d], line.out[d] = w.out[d];
    Shape extents = in.extents;
    extents[d + 1] = w.out[d];
    const std::string phase = --left == 0 ? name : fmt::format("{}.axis{}", name, d);
    const Placed to = left == 0 ? out : e.scratch(phase, out.dtype, extents, order_by_strides(out.strides));
    const auto tile = pool_tile(e, in, to, line);
    if (!tile) return e.fail("plan.capacity", "a line of a pool's window does not fit the scratchpad");
    emit_pooling(e, in, to, line, *tile, {.is_max = true}, phase);
    in = to;
  }
}

}  // namespace

void emit_pool(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const auto extra = node.attributes.integers("extra");
  const Pooling kind{node.attributes.text("kind") == "max", node.attributes.integer("count_pad") != 0};
  if (!kind.is_max && kind.counts_pad && std::any_of(extra.begin(), extra.end(), [](int64_t x) { return x != 0; }))
    return e.fail("compile.unsupported", "an average pool that counts padding and rounds its extent up");
  const Placed x = e.operand(node.inputs[0]), y = e.result(group.result);
  const Placed in = channels_last_view(x), out = channels_last_view(y);
  const Windows w = windows_of(node, x.extents, node.attributes.integers("kernel"), y.extents);
  const std::string& name = e.graph().value(group.result).name;
  if (const auto tile = pool_tile(e, in, out, w)) return emit_pooling(e, in, out, w, *tile, kind, name);
  if (kind.is_max) return emit_max_by_axis(e, in, out, w, name);
  e.fail("plan.capacity", "the window of a pool does not fit the scratchpad");
}

}  // namespace hadal::compile
