// Row work of the vector engine: softmax, normalisation, reductions, top-k, running sums. The axes that an instruction
// needs whole are whole in every tile; the others are dealt to the cores.
#include <algorithm>
#include <bit>
#include <limits>

#include "compile/tiling.h"
#include "graph/ops.h"
#include "rules/vector.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

const graph::Node& main_of(const Emitter& e, const Group& group) {
  return e.graph().nodes[static_cast<size_t>(group.main)];
}

/// The order with some dims moved to the end.
Order with_last(const Order& order, const std::vector<int64_t>& last) {
  Order out;
  const auto is_last = [&](size_t dim) {
    return std::find(last.begin(), last.end(), static_cast<int64_t>(dim)) != last.end();
  };
  for (const size_t dim : order)
    if (!is_last(dim)) out.push_back(dim);
  for (const int64_t dim : last) out.push_back(static_cast<size_t>(dim));
  return out;
}

/// Work on rows: operands of the same shape (up to repeated dims), the last `kept` dims whole.
struct RowWork {
  IndexSpace space;
  std::vector<int64_t> tile, counts;
};

/// What the measured software does with such rows; none: there is no such software.
const Profile::Rows* habits_of(const Emitter& e, const graph::Node& node) {
  const Profile* profile = e.plan().profile;
  if (!profile || (node.op != &graph::ops::softmax && node.op != &graph::ops::normalize)) return nullptr;
  return node.op == &graph::ops::softmax ? &profile->softmax : &profile->normalize;
}

/// False (and an error) where a row does not fit.
bool choose_rows(Emitter& e, const graph::Node& node, RowWork& work, size_t kept) {
  const RowFit fit = row_fit(e.graph(), node, e.chip(), e.plan().profile);
  if (!check_fit(e, fit)) return false;
  int64_t elements = tile_elements(e, total_of(work.space.extents), fit.most);
  if (const Profile::Rows* habits = habits_of(e, node); habits && habits->rows > 0) {
    elements = std::min(fit.most, std::max(habits->elements, habits->rows * fit.row));
  }
  work.tile = choose_tile(work.space.extents, elements, kept);
  work.counts = counts_of(work.space.extents, work.tile);
  return true;
}

/// Passes over rows that measured software makes before the one that writes, for their statistics: what these are, the
/// instruction behind them works out again.
void emit_passes(Emitter& e, const graph::Node& node, const RowWork& work, size_t kept, const Placed& in,
                 size_t operand) {
  const Profile::Rows* habits = habits_of(e, node);
  int64_t row = bytes_of(in.dtype);
  for (size_t i = work.space.extents.size() - kept; i < work.space.extents.size(); ++i) row *= work.space.extents[i];
  const int passes = habits ? habits->reads(row) - 1 : 0;
  const std::string& name = e.graph().value(node.outputs[0]).name;
  for (int pass = 0; pass < passes; ++pass) {
    e.begin_phase(fmt::format("{}.pass{}", name, pass), std::string(node.op->name), e.nodes());
    std::vector<int64_t> rows(work.space.extents.begin(), work.space.extents.end() - static_cast<std::ptrdiff_t>(kept));
    const Placed statistics =
        e.scratch(fmt::format("{}.statistics{}", name, pass), DType::f32, rows, row_major(rows.size()));
    std::vector<int64_t> strides = statistics.strides;
    strides.resize(work.space.extents.size(), 0);
    const int to = e.tensor(placed_over(statistics, work.space.extents, strides), name);
    const int from = e.tensor(repeated(in, work.space, operand), name);
    int64_t axes = 0;
    for (size_t i = 0; i < kept; ++i) axes |= int64_t{1} << (work.space.extents.size() - 1 - i);
    e.units(work.counts, [&](const std::vector<Expr>& at, const Expr&) {
      const TileBox box = tile_box(work.space.extents, work.tile, at);
      const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x");
      const tile::Window window = window_of(to, strides, box);
      const TileView y{e.tile(Ring::output, DType::f32, "y"), window.extents};
      e.emit(Opcode::reduce, Queue::vector, {y, x}, {Expr(0), Expr(axes)});
      e.store(window, y);
    });
  }
}

/// One operand in, one result out, both whole along the kept dims.
void emit_row_op(Emitter& e, const Group& group, Opcode op, const std::vector<int64_t>& axes,
                 const std::vector<Expr>& fields) {
  const graph::Node& node = main_of(e, group);
  const Placed in = e.operand(node.inputs[0]), out = e.result(group.result);
  RowWork work{
      merged({out.extents, {out.strides, in.strides}}, with_last(order_by_strides(in.strides), axes), axes.size()),
      {},
      {}};
  if (!choose_rows(e, node, work, axes.size())) return;
  emit_passes(e, node, work, axes.size(), in, 1);
  e.begin_phase(e.graph().value(group.result).name, std::string(node.op->name), e.nodes());
  const int to = e.tensor(in_space(out, work.space, 0), e.graph().value(group.result).name);
  const int from = e.tensor(repeated(in, work.space, 1), e.graph().value(node.inputs[0]).name);
  e.units(work.counts, [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(work.space.extents, work.tile, at);
    const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x");
    const TileView y{e.tile(Ring::output, out.dtype, "y"), box.extents};
    e.emit(op, Queue::vector, {y, x}, fields);
    e.store({to, box.origins, box.extents}, y);
  });
}

Expr real(double value) { return Expr(static_cast<int64_t>(std::bit_cast<uint32_t>(static_cast<float>(value)))); }

int64_t choice(Opcode op, size_t field, const std::string& name) {
  const auto& choices = isa::row_of(op)->fields[field].choices;
  return std::find(choices.begin(), choices.end(), name) - choices.begin();
}

/// Strides of a reduction's result over the dims of its operand: 0 along the axes.
std::vector<int64_t> result_strides(const Placed& in, const Placed& out, const std::vector<int64_t>& axes) {
  std::vector<int64_t> strides(in.extents.size(), 0);
  const bool keeps = out.extents.size() == in.extents.size();
  size_t next = 0;
  for (size_t i = 0; i < strides.size(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (!reduced) strides[i] = out.strides[keeps ? i : next++];
  }
  return strides;
}

/// Reduces `axes` of the node's operand.
void emit_reduction(Emitter& e, const Group& group, const std::vector<int64_t>& axes, Opcode op,
                    const std::string& kind) {
  const graph::Node& node = main_of(e, group);
  const Placed in = e.operand(node.inputs[0]), out = e.result(group.result);
  const std::string name = e.graph().value(group.result).name;
  e.begin_phase(name, std::string(node.op->name), e.nodes());
  const RowFit fit = row_fit(e.graph(), node, e.chip(), e.plan().profile);
  if (!check_fit(e, fit)) return;
  IndexSpace space = merged({in.extents, {result_strides(in, out, axes), in.strides}}, order_by_strides(in.strides));
  std::vector<bool> whole;
  for (size_t i = 0; i < space.extents.size(); ++i) whole.push_back(space.strides[0][i] == 0 && space.extents[i] > 1);
  if (std::find(whole.begin(), whole.end(), true) == whole.end()) {  // Rows of one element are rows all the same.
    space.extents.push_back(1);
    for (auto& strides : space.strides) strides.push_back(0);
    whole.push_back(true);
  }
  int64_t reduced = 0;
  for (size_t i = 0; i < whole.size(); ++i) reduced |= int64_t{whole[i]} << i;
  const auto tile = choose_tile(space.extents, tile_elements(e, total_of(space.extents), fit.most), whole);
  const int to = e.tensor(in_space(out, space, 0), name);
  const int from = e.tensor(repeated(in, space, 1), name + ".in");
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x");
    const tile::Window window = window_of(to, space.strides[0], box);
    const TileView y{e.tile(Ring::output, out.dtype, "y"), window.extents};
    if (op == Opcode::reduce)
      e.emit(op, Queue::vector, {y, x}, {Expr(choice(op, isa::at::reduce_kind, kind)), Expr(reduced)});
    else
      e.emit(op, Queue::vector, {y, x},
             {Expr(choice(op, isa::at::arg_kind, kind.substr(0, 3))),
              Expr(std::countr_zero(static_cast<uint64_t>(reduced))), Expr(kind.ends_with(".last") ? 1 : 0)});
    e.store(window, y);
  });
}

}  // namespace

void emit_softmax(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  emit_row_op(e, group, Opcode::softmax, {node.attributes.integer("axis")}, {Expr(node.attributes.integer("log"))});
}

void emit_cumsum(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  emit_row_op(e, group, Opcode::scan, {node.attributes.integer("axis")},
              {Expr(node.attributes.integer("exclusive")), Expr(node.attributes.integer("reverse"))});
}

void emit_normalize(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const Placed in = e.operand(node.inputs[0]), out = e.result(group.result);
  const std::string name = e.graph().value(group.result).name;
  auto axes = node.attributes.integers("axes");
  std::sort(axes.begin(), axes.end());
  const auto given = [&](size_t i) { return i < node.inputs.size() && node.inputs[i] != graph::absent; };
  // Any scale that the instruction does not take is a phase behind it.
  const bool inside = scales_inside(e.graph(), node);
  const Placed normal =
      inside ? out : e.scratch(name + ".normal", DType::f32, out.extents, order_by_strides(in.strides));
  IndexSpace space{normal.extents, {normal.strides, in.strides}};
  std::vector<size_t> scales;
  for (size_t i = 1; i < 3 && inside; ++i) {
    if (!given(i)) continue;
    scales.push_back(i);
    space.strides.push_back(broadcast_strides(e.operand(node.inputs[i]), out.extents));
  }
  RowWork work{merged(space, with_last(order_by_strides(in.strides), axes), axes.size()), {}, {}};
  if (!choose_rows(e, node, work, axes.size())) return;
  emit_passes(e, node, work, axes.size(), in, 1);
  e.begin_phase(inside ? name : name + ".normal", "normalize", e.nodes());
  const int to = e.tensor(in_space(normal, work.space, 0), name);
  const int from = e.tensor(repeated(in, work.space, 1), e.graph().value(node.inputs[0]).name);
  const TileBox whole = tile_box(work.space.extents, work.space.extents, std::vector<Expr>(work.space.extents.size()));
  std::vector<tile::Operand> operands(4);
  for (size_t s = 0; s < scales.size(); ++s) {
    const graph::ValueId v = node.inputs[scales[s]];
    const int tensor = e.tensor(in_space(e.operand(v), work.space, 2 + s), e.graph().value(v).name);
    const tile::Window window = window_of(tensor, work.space.strides[2 + s], whole);
    operands[1 + scales[s]] =
        e.load(Ring::constant, window, "g",
               {window.extents.end() - static_cast<std::ptrdiff_t>(axes.size()), window.extents.end()});
  }
  e.units(work.counts, [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(work.space.extents, work.tile, at);
    std::vector<tile::Operand> used = operands;
    const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x");
    const TileView y{e.tile(Ring::output, normal.dtype, "y"), box.extents};
    used[0] = y;
    used[1] = x;
    e.emit(Opcode::norm, Queue::vector, used,
           {Expr(choice(Opcode::norm, isa::at::norm_kind, node.attributes.text("kind", "layer"))),
            Expr(static_cast<int64_t>(axes.size())), real(node.attributes.number("epsilon"))});
    e.store({to, box.origins, box.extents}, y);
  });
  if (inside) return;
  std::vector<MapOperand> streams{{normal, normal.strides, name + ".normal", false}};
  isa::Chain chain{DType::f32, 1, {}};
  for (size_t i = 1; i < 3; ++i) {
    if (!given(i)) continue;
    const Placed scale = e.operand(node.inputs[i]);
    const auto before = static_cast<uint8_t>(chain.steps.empty() ? 0 : isa::chain_inputs);
    chain.steps.push_back({*isa::chain_op_named(i == 1 ? "mul" : "add"), {before, chain.inputs++, 0}, 0, 0});
    streams.push_back({scale, broadcast_strides(scale, out.extents), e.graph().value(node.inputs[i]).name,
                       e.graph().is_constant(node.inputs[i])});
  }
  emit_chain(e, name, "scale", out, streams, chain);
}

void emit_reduce(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  emit_reduction(e, group, node.attributes.integers("axes"), Opcode::reduce, node.attributes.text("kind"));
}

void emit_arg_reduce(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  emit_reduction(e, group, {node.attributes.integer("axis")}, Opcode::arg_reduce,
                 node.attributes.text("kind") + (node.attributes.integer("last") ? ".last" : ""));
}

namespace {

/// How a row's k best are found: by top-k, in rounds of a few; or by sorting it, filled up to a power of two, with the
/// numbers of its elements.
struct Selection {
  int64_t k = 1, largest = 1;
  int64_t row = 1, filled = 1;  ///< Elements of a row; with what fills it up.
  bool sorts = false;

  /// What comes behind all elements, of which each has a lower number than what fills the row.
  [[nodiscard]] std::optional<double> fill() const {
    if (!sorts) return std::nullopt;
    return largest != 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
};

/// Takes what is faster by the instructions' timing rules; a sort has a tile for each row.
Selection selection_of(const Emitter& e, const graph::Node& node, const RowWork& work, DType dtype, DType index) {
  Selection out{.k = node.attributes.integer("k"), .largest = node.attributes.integer("largest", 1)};
  out.row = work.space.extents.back();
  out.filled = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(out.row)));
  if (!is_float(dtype) || bytes_of(dtype) < 2 || out.row < 2 || out.k < 1 || e.plan().profile) return out;
  if (out.filled > row_fit(e.graph(), node, e.chip()).most) return out;
  const rules::VectorUnit unit = rules::vector_unit(e.chip());
  const int64_t elements = total_of(work.tile), rows = elements / out.row, pair = bytes_of(dtype) + bytes_of(index);
  const int64_t rounds = rules::topk_cycles(unit, elements, out.k,
                                            std::max(elements * bytes_of(dtype), rows * out.k * pair)),
                sort = rules::sort_cycles(
                    unit, {.elements = out.filled, .length = out.filled, .bytes = out.filled * pair, .comparisons = 2});
  out.sorts = rows * sort < rounds;
  return out;
}

}  // namespace

void emit_topk(Emitter& e, const Group& group) {
  const graph::Node& node = main_of(e, group);
  const Placed in = e.operand(node.inputs[0]), values = e.result(node.outputs[0]), indices = e.result(node.outputs[1]);
  const int64_t axis = node.attributes.integer("axis");
  // The axis has other extents on both sides: it is kept apart, and the results' are put in by hand.
  RowWork work{merged({in.extents, {in.strides, values.strides, indices.strides}},
                      with_last(order_by_strides(in.strides), {axis}), 1),
               {},
               {}};
  if (!choose_rows(e, node, work, 1)) return;
  const Selection how = selection_of(e, node, work, in.dtype, indices.dtype);
  if (how.sorts) {
    work.tile.assign(work.tile.size(), 1);
    work.tile.back() = how.row;
    work.counts = counts_of(work.space.extents, work.tile);
  }
  e.begin_phase(e.graph().value(group.result).name, "topk", e.nodes());
  const int from = e.tensor(repeated(in, work.space, 0), e.graph().value(node.inputs[0]).name);
  const auto result_tensor = [&](const Placed& placed, size_t operand, graph::ValueId v) {
    Placed view = in_space(placed, work.space, operand);
    view.extents.back() = how.k;
    return e.tensor(view, e.graph().value(v).name);
  };
  const int to_values = result_tensor(values, 1, node.outputs[0]),
            to_indices = result_tensor(indices, 2, node.outputs[1]);
  e.units(work.counts, [&](const std::vector<Expr>& at, const Expr&) {
    TileBox box = tile_box(work.space.extents, work.tile, at), top = box;
    top.extents.back() = Expr(how.k);
    if (how.sorts) box.extents.back() = Expr(how.filled);
    const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x", {}, {}, how.fill());
    TileView v{e.tile(Ring::output, values.dtype, "v"), how.sorts ? box.extents : top.extents},
        i{e.tile(Ring::output, indices.dtype, "i"), v.extents};
    const Expr largest(how.largest);
    if (how.sorts)
      e.emit(Opcode::sort_pairs, Queue::vector, {v, i, x, tile::Operand()},
             {Expr(std::ssize(box.extents) - 1), Expr(1), largest, largest});
    else
      e.emit(Opcode::topk, Queue::vector, {v, i, x}, {largest, Expr(node.attributes.integer("sorted", 1))});
    v.extents = i.extents = top.extents;  // Of a sorted row, the first.
    e.store({to_values, top.origins, top.extents}, v);
    e.store({to_indices, top.origins, top.extents}, i);
  });
}

}  // namespace hadal::compile
