// Attention whose scores lie in memory: a layer reads them for the rows' statistics, and another for the product with
// the values, which turns them into weights on the way to the array.
#include <algorithm>

#include "compile/matrix_tiling.h"
#include "compile/product.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

/// log(sum(exp(row))) of the scores, [batch..., m, 1].
Placed emit_statistics(Emitter& e, const Placed& scores, const std::string& name) {
  Shape extents = scores.extents;
  const int64_t columns = extents.back();
  extents.back() = 1;
  const Placed out = e.scratch(name + ".statistics", DType::f32, extents, row_major(extents.size()));
  const IndexSpace space =
      merged({scores.extents, {broadcast_strides(out, scores.extents), scores.strides}}, row_major(extents.size()), 1);
  const int64_t most = std::max(columns, e.limit(Ring::stream) / bytes_of(scores.dtype));
  const auto tile = choose_tile(space.extents, tile_elements(total_of(space.extents), e.cores(), most), size_t{1});
  e.begin_phase(name + ".statistics", "softmax", e.nodes());
  const int to = e.tensor(in_space(out, space, 0), name + ".statistics");
  const int from = e.tensor(in_space(scores, space, 1), name + ".scores");
  constexpr int64_t log_sum_exp = 9;  // Of reduce.kind.
  e.units(counts_of(space.extents, tile), [&](const std::vector<Expr>& at, const Expr&) {
    const TileBox box = tile_box(space.extents, tile, at);
    const TileView x = e.load(Ring::stream, {from, box.origins, box.extents}, "x");
    const tile::Window window = window_of(to, space.strides[0], box);
    const TileView y{e.tile(Ring::output, DType::f32, "y"), window.extents};
    const int64_t last = int64_t{1} << (space.extents.size() - 1);
    e.emit(Opcode::reduce, Queue::vector, {y, x}, {Expr(log_sum_exp), Expr(last)});
    e.store(window, y);
  });
  return out;
}

/// out[b..., m, n] = exp(scores - statistics)[b..., m, s] v[b..., s, n], in chunks of s.
void emit_mix(Emitter& e, const Group& group, const Placed& scores, const Placed& statistics) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const std::string& name = e.graph().value(group.result).name;
  const Placed v = e.operand(node.inputs[1]), out = e.result(group.result);
  const size_t rank = out.extents.size();
  const int64_t m = out.extents[rank - 2], n = out.extents[rank - 1], s = scores.extents.back();
  const bool swapped = node.attributes.integer("transpose_b") != 0;
  const chip::Scratchpad& pad = e.chip().scratchpad;
  const int64_t sums = pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) / 4;
  // Whole rows of scores where as many fit as half fill the array, in the room of two tiles of other row work.
  const int64_t room = 2 * e.limit(Ring::stream) / bytes_of(scores.dtype), filling = e.chip().matrix.rows;
  const int64_t rows = std::min({std::clamp<int64_t>(room / s, filling / 2, filling), m, sums / n});
  const int64_t chunk = std::min(s, std::max<int64_t>(room / rows / filling, 1) * filling);
  if (chunk * n * bytes_of(v.dtype) > e.limit(Ring::activation2))
    return e.fail("plan.capacity", "no tile of this attention fits the scratchpad");

  e.begin_phase(name, "attention", e.nodes());
  e.account(static_cast<uint64_t>(elements(scores.extents)) * static_cast<uint64_t>(n), v.dtype);
  const int from = e.tensor(scores, name + ".scores"), by = e.tensor(statistics, name + ".statistics");
  const int from_v = e.tensor(v, e.graph().value(node.inputs[1]).name), to = e.tensor(out, name);
  const auto step = [](const char* op, uint8_t a, uint8_t b) {
    return isa::ChainStep{*isa::chain_op_named(op), {a, b, 0}, 0, 0};
  };
  const Expr weights(e.add_chain({DType::f32, 2, {step("sub", 0, 1), step("exp", isa::chain_inputs, 0)}}));
  const Expr chain = group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(group.chain));
  std::vector<int64_t> parts(rank, 1);
  parts[rank - 2] = rows;
  parts[rank - 1] = n;
  const int64_t chunks = (s + chunk - 1) / chunk;
  const auto load_values = [&](const TileBox& box, const Expr& s0, const Expr& st) {
    tile::Window window{from_v, box.origins, box.extents};
    for (size_t d = 0; d + 2 < rank; ++d)
      if (v.extents[d] == 1) window.origins[d] = Expr(0);
    window.origins[rank - 2] = swapped ? Expr(0) : s0;
    window.origins[rank - 1] = swapped ? s0 : Expr(0);
    window.extents[rank - 2] = swapped ? Expr(n) : st;
    window.extents[rank - 1] = swapped ? st : Expr(n);
    return e.load(Ring::activation2, window, "v", {Expr(1), window.extents[rank - 2], window.extents[rank - 1]});
  };
  const auto emit_block = [&](const TileBox& box, const Expr& number, const TileView* held) {
    const Expr mt = box.extents[rank - 2];
    const TileView y{e.tile(Ring::result, out.dtype, "y"), {Expr(1), mt, Expr(n)}};
    e.loop("s", Expr(chunks), [&](const Expr& i) {
      const Expr s0 = i * Expr(chunk), st = s % chunk == 0 ? Expr(chunk) : min(Expr(chunk), Expr(s) - s0);
      TileBox part = box;
      part.origins[rank - 1] = s0;
      part.extents[rank - 1] = st;
      const TileView x = e.load(Ring::stream, {from, part.origins, part.extents}, "x", {Expr(1), mt, st});
      part.origins[rank - 1] = Expr(0);
      part.extents[rank - 1] = Expr(1);
      const TileView l = e.load(Ring::stream, {by, part.origins, part.extents}, "l", {Expr(1), mt, Expr(1)});
      const TileView p{e.tile(Ring::probability, scores.dtype, "p"), {Expr(1), mt, st}};
      e.emit(Opcode::map, Queue::vector, {p, x, l}, {weights});
      const TileView b = held ? *held : load_values(box, s0, st);
      e.emit(Opcode::matmul, Queue::matrix, {y, p, b},
             {accumulator_offset(e, number), i, equal(i, Expr(chunks - 1)), chain, Expr(0), Expr(swapped ? 1 : 0)});
    });
    e.store({to, box.origins, box.extents}, y);
  };
  // A unit is all rows of a batch where that leaves none of the cores idle: values are then loaded once.
  const int64_t blocks = (m + rows - 1) / rows, batch = total_of(out.extents) / (m * n);
  const bool whole = chunks == 1 && batch >= e.cores();
  if (whole) parts[rank - 2] = m;
  e.units(counts_of(out.extents, parts), [&](const std::vector<Expr>& at, const Expr& number) {
    const TileBox unit = tile_box(out.extents, parts, at);
    if (!whole) return emit_block(unit, number, nullptr);
    const TileView held = load_values(unit, Expr(0), Expr(s));
    e.loop("m", Expr(blocks), [&](const Expr& j) {
      TileBox box = unit;
      box.origins[rank - 2] = j * Expr(rows);
      box.extents[rank - 2] =
          m % rows == 0 ? Expr(rows) : min(Expr(rows), Expr(m) - box.origins[rank - 2]).within(1, rows);
      emit_block(box, number * Expr(blocks) + j, &held);
    });
  });
}

}  // namespace

void emit_stored_attention(Emitter& e, const Group& group) {
  const graph::Node& softmax = e.graph().nodes[static_cast<size_t>(group.before[1].main)];
  const Placed scores = e.operand(softmax.inputs[0]);
  const Placed statistics = emit_statistics(e, scores, e.graph().value(group.result).name);
  if (!e.failed()) emit_mix(e, group, scores, statistics);
}

}  // namespace hadal::compile
