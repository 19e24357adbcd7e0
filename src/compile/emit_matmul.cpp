// Matrix multiplication: output tiles dealt to the cores, a loop over chunks of the contraction inside.
#include <algorithm>

#include "compile/known_tiles.h"
#include "compile/product.h"
#include "compile/weights.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

void emit_matmul(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const graph::ValueId weights = node.inputs[1];
  const bool constant = e.graph().is_constant(weights);
  const bool blocks = constant && e.graph().type(weights).shape.size() == 2;  // Laid out for tiles of n.
  const Placed a = e.operand(node.inputs[0]),
               b = blocks ? dense(*e.graph().value(weights).constant) : e.operand(weights);
  const Placed out = e.result(group.result);
  std::vector<Placed> streams;
  for (const graph::ValueId v : group.streams) streams.push_back(e.operand(v));
  const Product p = product_of(node, a, b, out, streams);
  const int64_t m = p.rows.back();
  int64_t batch = 1;
  for (size_t i = 0; i + 1 < p.rows.size(); ++i) batch *= p.rows[i];

  MatrixLayer layer;
  layer.batch = batch;
  layer.rows = m;
  layer.n = p.n;
  layer.k = p.k;
  layer.operands = a.dtype;
  layer.stored_bytes = bytes_of(out.dtype);
  layer.constant_weights = constant;
  layer.far_stream = e.far(a);
  layer.far_result = e.far(out);
  layer.may_split = layer.constant_weights && is_float(a.dtype);
  layer.stream_bytes = [&](int64_t rows, int64_t k) { return rows * k * bytes_of(a.dtype); };
  MatrixTile tile{.rows = 0};
  if (e.plan().profile) tile = choose_known_product(e, layer);
  const bool known = tile.rows > 0;
  if (!known) tile = choose_matrix_tile(e, layer);
  if (tile.rows == 0) return e.fail("plan.capacity", "no tile of this product fits the scratchpad");

  e.begin_phase(e.graph().value(group.result).name, "matmul", e.nodes());
  e.account(static_cast<uint64_t>(batch * m * p.n) * static_cast<uint64_t>(p.k), a.dtype);
  const MatrixOperand from_a =
      matrix_operand(e, a, p.rows, p.a, {m, p.a.back()}, {p.k, p.a_k}, e.graph().value(node.inputs[0]).name);
  const std::string& weights_name = e.graph().value(weights).name;
  MatrixOperand from_b;
  if (blocks) {
    const Placed laid = blocked_matrix(e, weights, node.attributes.integer("transpose_b"), tile.n);
    from_b.tensor = e.tensor(laid, weights_name, false);
    e.count_bytes(laid, p.k * p.n * bytes_of(laid.dtype));
  } else {
    from_b = matrix_operand(e, b, p.rows, p.b, {p.k, p.b_k}, {p.n, p.b_n}, weights_name);
  }
  Placed whole = out;
  whole.extents = p.rows;
  whole.extents.push_back(p.n);
  whole.strides = p.out;
  whole.strides.push_back(p.out_n);
  const bool split = tile.splits > 1;
  const std::string name = e.graph().value(group.result).name;
  const Placed partial = split ? partial_sums(e, whole, tile.splits, name) : whole;
  const int to = e.tensor(partial, name);
  std::vector<std::vector<int64_t>> stream_strides = p.streams;
  std::vector<int> stream_tensors;
  for (size_t i = 0; i < streams.size(); ++i) {
    stream_strides[i].push_back(p.streams_n[i]);
    if (split) continue;
    const Placed view = placed_over(streams[i], whole.extents, stream_strides[i]);
    stream_tensors.push_back(e.tensor(view, e.graph().value(group.streams[i]).name));
  }
  const Expr chain = split || group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(group.chain));
  std::vector<int64_t> parts(p.rows.size() - 1, 1);
  parts.push_back(tile.rows * tile.stack);
  parts.push_back(tile.panel ? p.n : tile.n);
  std::vector<int64_t> counts = counts_of(whole.extents, parts);
  counts.push_back(tile.splits);
  const int64_t chunks = (tile.part + tile.k - 1) / tile.k;
  // Of [batch..., m, n, part], `a` does not differ in n and `b` not in m, nor either in a batch that it repeats.
  std::vector<bool> varies_a(counts.size(), true), varies_b(counts.size(), true);
  for (size_t i = 0; i + 1 < p.rows.size(); ++i) {
    varies_a[i] = p.a[i] != 0;
    varies_b[i] = p.b[i] != 0;
  }
  varies_b[p.rows.size() - 1] = varies_a[p.rows.size()] = false;
  std::vector<bool> varies_n(counts.size(), false);
  varies_n[p.rows.size()] = varies_n.back() = true;
  const isa::Sharing share_n = e.sharing(counts, varies_n);
  const isa::Sharing share_a = e.sharing(counts, varies_a), share_b = e.sharing(counts, varies_b);

  const Epilogue epilogue{group, streams, stream_tensors, stream_strides, 3};
  const size_t row = p.rows.size() - 1;
  const bool extra_first = epilogue_first(e, streams, a, chunks);
  const auto load_a = [&](const TileBox& box, const Expr& k0, const Expr& kt) {
    const Expr mt = box.extents[row];
    return e.load(Ring::activation, matrix_window(from_a, box.origins, box.origins[row], mt, k0, kt), "a",
                  from_a.swapped ? std::vector<Expr>{1, kt, mt} : std::vector<Expr>{1, mt, kt}, share_a);
  };
  const auto load_b = [&](const TileBox& box, const Expr& block, const Expr& k0, const Expr& kt) {
    const Expr nt = box.extents[row + 1];
    return e.load(e.stationary(constant),
                  blocks ? tile::Window{from_b.tensor, {block, k0, Expr(0)}, {Expr(1), kt, nt}}
                         : matrix_window(from_b, box.origins, k0, kt, box.origins[row + 1], nt),
                  "b", from_b.swapped ? std::vector<Expr>{1, nt, kt} : std::vector<Expr>{1, kt, nt}, share_b);
  };
  const auto column_tiles = counts_of({p.n}, {tile.n})[0];
  // Of columns `column` of tiles. `held_a` and `held_b`: what the core has already.
  const auto emit_tile = [&](const TileBox& box, const std::vector<Expr>& at, const Expr& column, const Expr& number,
                             const tile::TileView* held_a, const tile::TileView* held_b,
                             const std::vector<tile::Operand>& vectors) {
    const Expr first_k = at.back() * Expr(tile.part), last_k = min(first_k + Expr(tile.part), Expr(p.k));
    const Expr mt = box.extents[row], nt = box.extents[row + 1];
    std::vector<tile::Operand> extra = vectors;
    if (extra_first) load_tiles(e, epilogue, box, extra);
    const tile::TileView result{e.tile(Ring::result, split ? DType::f32 : out.dtype, "y"), {Expr(1), mt, nt}};
    e.loop("k", Expr(chunks), [&](const Expr& chunk) {
      const Expr k0 = first_k + chunk * Expr(tile.k);
      const bool even = tile.part % tile.k == 0 && p.k % tile.part == 0;
      const Expr kt = even ? Expr(tile.k) : max(min(Expr(tile.k), last_k - k0), Expr(0)).within(0, tile.k);
      const tile::TileView ta = held_a ? *held_a : load_a(box, k0, kt);
      const tile::TileView tb = held_b ? *held_b : load_b(box, column, k0, kt);
      if (!extra_first) load_tiles(e, epilogue, box, extra);
      std::vector<tile::Operand> operands{result, ta, tb};
      operands.insert(operands.end(), extra.begin(), extra.end());
      e.emit(Opcode::matmul, Queue::matrix, operands,
             {accumulator_offset(e, number), chunk, equal(chunk, Expr(chunks - 1)), chain, Expr(from_a.swapped ? 1 : 0),
              Expr(from_b.swapped ? 1 : 0)});
    });
    tile::Window window{to, box.origins, box.extents};
    if (split) {
      window.origins.insert(window.origins.begin(), at.back());
      window.extents.insert(window.extents.begin(), Expr(1));
    }
    e.store(window, result);
  };
  const auto vectors_of = [&](const TileBox& box) {
    return split ? std::vector<tile::Operand>{} : load_vectors(e, epilogue, box, share_n);
  };
  const auto emit_panel = [&](const TileBox& rows, const std::vector<Expr>& at, const Expr& number) {
    const tile::TileView held = load_a(rows, Expr(0), Expr(p.k));
    e.loop("n", Expr(column_tiles), [&](const Expr& j) {
      TileBox box = rows;
      box.origins[row + 1] = j * Expr(tile.n);
      box.extents[row + 1] =
          p.n % tile.n == 0 ? Expr(tile.n) : min(Expr(tile.n), Expr(p.n) - box.origins[row + 1]).within(1, tile.n);
      emit_tile(box, at, j, number * Expr(column_tiles) + j, &held, nullptr, vectors_of(box));
    });
  };
  const bool raster = known && e.plan().profile->matmul.raster > 1;
  e.units(raster ? std::vector<int64_t>{total_of(counts)} : counts,
          [&](const std::vector<Expr>& unit, const Expr& number) {
            const std::vector<Expr> at = raster ? rastered(counts, unit[0], e.plan().profile->matmul.raster) : unit;
            const TileBox stack = tile_box(whole.extents, parts, at);
            if (tile.panel) return emit_panel(stack, at, number);
            const std::vector<tile::Operand> vectors = vectors_of(stack);
            tile::TileView held;
            if (tile.stack > 1) held = load_b(stack, at[row + 1], Expr(0), Expr(p.k));
            e.loop("t", stack_tiles(stack, row, tile), [&](const Expr& i) {
              emit_tile(tile_of_stack(stack, row, tile, i), at, at[row + 1], number * Expr(tile.stack) + i, nullptr,
                        tile.stack > 1 ? &held : nullptr, vectors);
            });
          });
  if (split) emit_combine(e, group, partial, whole, streams, stream_strides, "matmul");
}

}  // namespace hadal::compile
