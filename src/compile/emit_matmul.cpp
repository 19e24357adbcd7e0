// Matrix multiplication: output tiles dealt to the cores, a loop over chunks of the contraction inside.
#include <algorithm>
#include <array>
#include <optional>

#include "compile/known_tiles.h"
#include "compile/matrix_tiling.h"
#include "compile/product.h"
#include "compile/weights.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

namespace {

/// The product of a group, before its tile is known.
struct MatmulLayer {
  const Group& group;
  const graph::Node& node;
  graph::ValueId weights;
  bool constant, blocks;  ///< Weights: constant; laid out for tiles of n.
  Placed a, b, out;
  std::vector<Placed> streams, scales;
  std::array<std::optional<Lookup>, 2> lookups;  ///< Of b and of its scales.
  Product p;
  int64_t batch, m;
  [[nodiscard]] bool scaled() const { return !scales.empty(); }
};

/// Where matrices that the phase looks up itself lie (compile/fuse.h).
std::optional<Lookup> lookup_of(Emitter& e, const graph::Node& node, size_t input) {
  if (input >= node.inputs.size() || !looks_up_matrices(e.graph(), node, input)) return std::nullopt;
  const int producer = e.graph().value(node.inputs[input]).producer;
  const graph::Node& gather = e.graph().nodes[static_cast<size_t>(producer)];
  return Lookup{e.operand(gather.inputs[0]), e.operand(gather.inputs[1])};
}

MatmulLayer matmul_layer(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const graph::ValueId weights = node.inputs[1];
  const bool constant = e.graph().is_constant(weights);
  const bool blocks = constant && e.graph().type(weights).shape.size() == 2;
  const Placed a = e.operand(node.inputs[0]);
  std::array<std::optional<Lookup>, 2> lookups{lookup_of(e, node, 1), lookup_of(e, node, 3)};
  const Placed b = lookups[0] ? looked_up(*lookups[0])
                   : blocks   ? dense(*e.graph().value(weights).constant)
                              : e.operand(weights);
  std::vector<Placed> scales;
  if (node.op == &graph::ops::scaled_matmul)
    scales = {e.operand(node.inputs[2]), lookups[1] ? looked_up(*lookups[1]) : e.operand(node.inputs[3])};
  const Placed out = e.result(group.result);
  std::vector<Placed> streams;
  for (const graph::ValueId v : group.streams) streams.push_back(e.operand(v));
  const Product p = product_of(node, a, b, out, streams, scales);
  const int64_t m = p.rows.back();
  const int64_t batch = total_of({p.rows.begin(), p.rows.end() - 1});
  return {group, node,  weights, constant, blocks, a, b, out, std::move(streams), std::move(scales), std::move(lookups),
          p,     batch, m};
}

MatrixLayer search_layer(const Emitter& e, const MatmulLayer& layer) {
  MatrixLayer out;
  out.batch = layer.batch;
  out.rows = layer.m;
  out.n = layer.p.n;
  out.k = layer.p.k;
  if (layer.scaled()) out.k_step = out.k % isa::scale_block == 0 ? isa::scale_block : out.k;
  out.scaled = layer.scaled();
  out.operands = layer.a.dtype;
  out.stored_bytes = bytes_of(layer.out.dtype);
  out.constant_weights = layer.constant;
  out.far_stream = e.far(layer.a);
  out.far_weights = layer.constant || e.far(layer.b);
  out.far_result = e.far(layer.out);
  out.may_split = layer.constant && is_float(layer.a.dtype) && !layer.scaled();
  out.stream_bytes = [bytes = bytes_of(layer.a.dtype)](int64_t rows, int64_t k) { return rows * k * bytes; };
  return out;
}

class MatmulPhase {
 public:
  /// `raster`: rows of tiles that are walked together.
  MatmulPhase(Emitter& e, const MatmulLayer& layer, const MatrixTile& tile, int64_t raster);
  void emit();

 private:
  void declare_operands();
  void declare_scales();
  void declare_results();
  void share();
  tile::TileView load_a(const TileBox& box, const Expr& k0, const Expr& kt);
  tile::TileView load_b(const TileBox& box, const Expr& block, const Expr& k0, const Expr& kt,
                        const std::optional<tile::TileView>& index = {});
  void multiply(std::vector<tile::Operand> operands, const TileBox& box, const Expr& k0, const Expr& kt,
                std::vector<Expr> fields, const std::optional<tile::TileView>& index);
  /// What the core has already of a tile's operands.
  struct Held {
    const tile::TileView *a = nullptr, *b = nullptr;
  };
  /// Of columns `column` of tiles.
  void emit_tile(const TileBox& box, const std::vector<Expr>& at, const Expr& column, const Expr& number,
                 const Held& held, const std::vector<tile::Operand>& vectors);
  void emit_stack(const TileBox& stack, const std::vector<Expr>& at, const Expr& number);
  void emit_panel(const TileBox& rows, const std::vector<Expr>& at, const Expr& number);
  void emit_whole(const TileBox& all, const std::vector<Expr>& at);
  std::vector<tile::Operand> vectors_of(const TileBox& box) {
    return split_ ? std::vector<tile::Operand>{} : load_vectors(e_, epilogue_, box, share_n_);
  }

  Emitter& e_;
  const MatmulLayer& layer_;
  const Product& p_;
  const MatrixTile tile_;
  const int64_t raster_, chunks_;
  const size_t row_;  ///< The dim of m in [batch..., m, n].
  const bool split_;
  MatrixOperand from_a_, from_b_, from_a_scale_, from_b_scale_;
  Placed whole_, partial_;
  int to_ = 0;
  Expr chain_;
  std::vector<std::vector<int64_t>> stream_strides_;
  std::vector<int> stream_tensors_;
  std::vector<int64_t> parts_, counts_;
  isa::Sharing share_a_, share_b_, share_n_;
  bool extra_first_ = false;
  Epilogue epilogue_;
};

MatmulPhase::MatmulPhase(Emitter& e, const MatmulLayer& layer, const MatrixTile& tile, int64_t raster)
    : e_(e),
      layer_(layer),
      p_(layer.p),
      tile_(tile),
      raster_(raster),
      chunks_((tile.part + tile.k - 1) / tile.k),
      row_(layer.p.rows.size() - 1),
      split_(tile.splits > 1),
      stream_strides_(layer.p.streams),
      epilogue_{layer.group, layer.streams, stream_tensors_, stream_strides_, 3} {
  e_.begin_phase(e_.graph().value(layer.group.result).name, "matmul", e_.nodes());
  e_.account(static_cast<uint64_t>(layer.batch * layer.m * p_.n) * static_cast<uint64_t>(p_.k), layer.a.dtype);
  declare_operands();
  declare_results();
  share();
  extra_first_ = epilogue_first(e_, layer_.streams, layer_.a, chunks_);
}

void MatmulPhase::declare_operands() {
  from_a_ = matrix_operand(e_, layer_.a, p_.rows, p_.a, {layer_.m, p_.a.back()}, {p_.k, p_.a_k},
                           e_.graph().value(layer_.node.inputs[0]).name);
  const std::string& name = e_.graph().value(layer_.weights).name;
  if (layer_.scaled()) declare_scales();
  if (layer_.lookups[0]) {
    from_b_ = matrix_operand(e_, *layer_.lookups[0], p_.rows, p_.b, name);
    return;
  }
  if (!layer_.blocks) {
    from_b_ = matrix_operand(e_, layer_.b, p_.rows, p_.b, {p_.k, p_.b_k}, {p_.n, p_.b_n}, name);
    return;
  }
  const Placed laid = blocked_matrix(e_, layer_.weights, layer_.node.attributes.integer("transpose_b"), tile_.n);
  from_b_.tensor = e_.tensor(laid, name, false);
  e_.count_bytes(laid, p_.k * p_.n * bytes_of(laid.dtype));
}

void MatmulPhase::declare_scales() {
  const auto name = [&](size_t input) { return e_.graph().value(layer_.node.inputs[input]).name; };
  const Placed &of_a = layer_.scales[0], &of_b = layer_.scales[1];
  from_a_scale_ = matrix_operand(e_, of_a, p_.rows, p_.a_scale, {layer_.m, p_.a_scale.back()},
                                 {of_a.extents.back(), of_a.strides.back()}, name(2), false);
  const std::pair blocks{from_end(of_b.extents, 2), from_end(of_b.strides, 2)};
  const std::pair columns{of_b.extents.back(), of_b.strides.back()};
  from_b_scale_ = layer_.lookups[1] ? matrix_operand(e_, *layer_.lookups[1], p_.rows, p_.b_scale, name(3))
                                    : matrix_operand(e_, of_b, p_.rows, p_.b_scale, blocks, columns, name(3), false);
  e_.hold(Ring::residual, 4, 16);  // Those of a and of b, one step ahead or more.
}

void MatmulPhase::declare_results() {
  whole_ = layer_.out;
  whole_.extents = p_.rows;
  whole_.extents.push_back(p_.n);
  whole_.strides = p_.out;
  whole_.strides.push_back(p_.out_n);
  const std::string name = e_.graph().value(layer_.group.result).name;
  partial_ = split_ ? partial_sums(e_, whole_, tile_.splits, name) : whole_;
  to_ = e_.tensor(partial_, name);
  for (size_t i = 0; i < layer_.streams.size(); ++i) {
    stream_strides_[i].push_back(p_.streams_n[i]);
    if (split_) continue;
    const Placed view = placed_over(layer_.streams[i], whole_.extents, stream_strides_[i]);
    stream_tensors_.push_back(e_.tensor(view, e_.graph().value(layer_.group.streams[i]).name));
  }
  const bool chained = !split_ && !layer_.group.chain.steps.empty();
  chain_ = Expr(chained ? e_.add_chain(layer_.group.chain) : isa::no_chain);
}

/// Of [batch..., m, n, part], `a` does not differ in n and `b` not in m, nor either in a batch that it repeats.
void MatmulPhase::share() {
  parts_.assign(row_, 1);
  parts_.push_back(tile_.whole ? layer_.m : tile_.rows * tile_.stack);
  parts_.push_back(tile_.whole || tile_.panel ? p_.n : tile_.n);
  counts_ = counts_of(whole_.extents, parts_);
  counts_.push_back(tile_.splits);
  tile::Dims varies_a = tile::Dims().set(), varies_b = varies_a, varies_n;
  for (size_t i = 0; i < row_; ++i) {
    varies_a[i] = p_.a[i] != 0;
    varies_b[i] = p_.b[i] != 0;
  }
  varies_b[row_] = varies_a[row_ + 1] = false;
  varies_n[row_ + 1] = varies_n[row_ + 2] = true;
  share_n_ = e_.sharing(counts_, varies_n);
  share_a_ = e_.sharing(counts_, varies_a);
  share_b_ = e_.sharing(counts_, varies_b);
}

tile::TileView MatmulPhase::load_a(const TileBox& box, const Expr& k0, const Expr& kt) {
  return load_matrix(e_, Ring::activation, from_a_, box.origins, {box.origins[row_], box.extents[row_], k0, kt}, {},
                     "a", share_a_);
}

tile::TileView MatmulPhase::load_b(const TileBox& box, const Expr& block, const Expr& k0, const Expr& kt,
                                   const std::optional<tile::TileView>& index) {
  const Expr nt = box.extents[row_ + 1];
  const Ring ring = e_.stationary(layer_.constant);
  if (layer_.blocks)
    return e_.load(ring, {from_b_.tensor, {block, k0, Expr(0)}, {Expr(1), kt, nt}}, "b", {1, kt, nt}, share_b_);
  return load_matrix(e_, ring, from_b_, box.origins, {k0, kt, box.origins[row_ + 1], nt},
                     index ? index : load_index(e_, from_b_, box.origins), "b", share_b_);
}

/// One chunk of the contraction; with its scales, where the product has some.
void MatmulPhase::multiply(std::vector<tile::Operand> operands, const TileBox& box, const Expr& k0, const Expr& kt,
                           std::vector<Expr> fields, const std::optional<tile::TileView>& index) {
  fields.insert(fields.end(), {chain_, Expr(from_a_.swapped ? 1 : 0), Expr(from_b_.swapped ? 1 : 0)});
  if (!layer_.scaled()) return e_.emit(Opcode::matmul, Queue::matrix, std::move(operands), std::move(fields));
  const Expr block(isa::scale_block), first = box.origins[row_ + 1], shift = mod(first, block);
  const Expr blocks = ceil_div(kt, block), columns = ceil_div(shift + box.extents[row_ + 1], block);
  operands.resize(isa::at::a_scale);
  operands.emplace_back(load_matrix(e_, Ring::residual, from_a_scale_, box.origins,
                                    {box.origins[row_], box.extents[row_], floor_div(k0, block), blocks}, {}, "sa"));
  operands.emplace_back(load_matrix(e_, Ring::residual, from_b_scale_, box.origins,
                                    {floor_div(k0, block), blocks, floor_div(first, block), columns}, index, "sb"));
  fields.push_back(shift);
  e_.emit(Opcode::matmul_scaled, Queue::matrix, std::move(operands), std::move(fields));
}

void MatmulPhase::emit_tile(const TileBox& box, const std::vector<Expr>& at, const Expr& column, const Expr& number,
                            const Held& held, const std::vector<tile::Operand>& vectors) {
  const Expr first_k = at.back() * Expr(tile_.part), last_k = min(first_k + Expr(tile_.part), Expr(p_.k));
  const Expr mt = box.extents[row_], nt = box.extents[row_ + 1];
  std::vector<tile::Operand> extra = vectors;
  if (extra_first_) load_tiles(e_, epilogue_, box, extra);
  std::optional<tile::TileView> index, scale_index = load_index(e_, from_b_scale_, box.origins);
  if (!held.b) index = load_index(e_, from_b_, box.origins);
  const tile::TileView result{e_.tile(Ring::result, split_ ? DType::f32 : layer_.out.dtype, "y"), {Expr(1), mt, nt}};
  e_.loop("k", Expr(chunks_), [&](const Expr& chunk) {
    const Expr k0 = first_k + chunk * Expr(tile_.k);
    const bool even = tile_.part % tile_.k == 0 && p_.k % tile_.part == 0;
    const Expr kt = even ? Expr(tile_.k) : max(min(Expr(tile_.k), last_k - k0), Expr(0)).within(0, tile_.k);
    const tile::TileView a = held.a ? *held.a : load_a(box, k0, kt);
    const tile::TileView b = held.b ? *held.b : load_b(box, column, k0, kt, index);
    if (!extra_first_) load_tiles(e_, epilogue_, box, extra);
    std::vector<tile::Operand> operands{result, a, b};
    operands.insert(operands.end(), extra.begin(), extra.end());
    multiply(std::move(operands), box, k0, kt, {accumulator_offset(e_, number), chunk, equal(chunk, Expr(chunks_ - 1))},
             scale_index);
  });
  tile::Window window{to_, box.origins, box.extents};
  if (split_) {
    window.origins.insert(window.origins.begin(), at.back());
    window.extents.insert(window.extents.begin(), Expr(1));
  }
  e_.store(window, result);
}

/// The tiles of a stack, below one another, which have their weights in common.
void MatmulPhase::emit_stack(const TileBox& stack, const std::vector<Expr>& at, const Expr& number) {
  const std::vector<tile::Operand> vectors = vectors_of(stack);
  tile::TileView weights;
  if (tile_.stack > 1) weights = load_b(stack, at[row_ + 1], Expr(0), Expr(p_.k));
  e_.loop("t", stack_tiles(stack, row_, tile_), [&](const Expr& i) {
    emit_tile(tile_of_stack(stack, row_, tile_, i), at, at[row_ + 1], number * Expr(tile_.stack) + i,
              {.b = tile_.stack > 1 ? &weights : nullptr}, vectors);
  });
}

/// The tiles of a panel, beside one another, which have their rows in common.
void MatmulPhase::emit_panel(const TileBox& rows, const std::vector<Expr>& at, const Expr& number) {
  const tile::TileView held = load_a(rows, Expr(0), Expr(p_.k));
  const Expr columns(counts_of({p_.n}, {tile_.n})[0]);
  e_.loop("n", columns, [&](const Expr& j) {
    TileBox box = rows;
    box.origins[row_ + 1] = j * Expr(tile_.n);
    box.extents[row_ + 1] =
        p_.n % tile_.n == 0 ? Expr(tile_.n) : min(Expr(tile_.n), Expr(p_.n) - box.origins[row_ + 1]).within(1, tile_.n);
    emit_tile(box, at, j, number * columns + j, {.a = &held}, vectors_of(box));
  });
}

/// All operands come first, in tiles of their own; then the tiles of results, row by row. What is needed for the first
/// of these comes as late as may be. Rows that are near need not be held: they come one tile ahead.
void MatmulPhase::emit_whole(const TileBox& all, const std::vector<Expr>& at) {
  const int64_t rows = counts_of({layer_.m}, {tile_.rows})[0], columns = counts_of({p_.n}, {tile_.n})[0];
  const bool held = e_.far(layer_.a);
  const auto box_of = [&](int64_t i, int64_t j) {
    TileBox box = all;
    box.origins[row_] = Expr(i * tile_.rows);
    box.extents[row_] = Expr(std::min(tile_.rows, layer_.m - i * tile_.rows));
    box.origins[row_ + 1] = Expr(j * tile_.n);
    box.extents[row_ + 1] = Expr(std::min(tile_.n, p_.n - j * tile_.n));
    return box;
  };
  e_.count_tiles(true);
  std::vector<tile::TileView> a, b;
  const auto load_rows = [&] {
    for (int64_t i = 0; held && i < rows; ++i) a.push_back(load_a(box_of(i, 0), Expr(0), Expr(p_.k)));
  };
  const bool rows_last = layer_.m - tile_.rows < p_.n - tile_.n;  // Less follows the first tile.
  if (!rows_last) load_rows();
  for (int64_t j = 0; j < columns; ++j) b.push_back(load_b(box_of(0, j), Expr(j), Expr(0), Expr(p_.k)));
  if (rows_last) load_rows();
  e_.count_tiles(false);
  e_.hold(Ring::activation, held ? rows : 2);
  e_.hold(e_.stationary(layer_.constant), columns);
  for (int64_t i = 0; i < rows; ++i) {
    e_.count_tiles(true);
    if (!held) a.push_back(load_a(box_of(i, 0), Expr(0), Expr(p_.k)));
    e_.count_tiles(false);
    for (int64_t j = 0; j < columns; ++j) {
      const TileBox box = box_of(i, j);
      emit_tile(box, at, Expr(j), Expr(i * columns + j), {&a[static_cast<size_t>(i)], &b[static_cast<size_t>(j)]},
                vectors_of(box));
    }
  }
}

void MatmulPhase::emit() {
  const bool raster = raster_ > 1;
  e_.units(raster ? std::vector<int64_t>{total_of(counts_)} : counts_,
           [&](const std::vector<Expr>& unit, const Expr& number) {
             const std::vector<Expr> at = raster ? rastered(counts_, unit[0], raster_) : unit;
             const TileBox box = tile_box(whole_.extents, parts_, at);
             if (tile_.whole)
               emit_whole(box, at);
             else if (tile_.panel)
               emit_panel(box, at, number);
             else
               emit_stack(box, at, number);
           });
  if (split_) emit_combine(e_, layer_.group, partial_, whole_, layer_.streams, stream_strides_, "matmul");
}

}  // namespace

void emit_matmul(Emitter& e, const Group& group) {
  const MatmulLayer layer = matmul_layer(e, group);
  const MatrixLayer search = search_layer(e, layer);
  const Profile* profile = e.plan().profile;
  MatrixTile tile{.rows = 0};
  if (profile) tile = choose_whole_product(e, search);
  if (profile && tile.rows == 0) tile = choose_known_product(e, search);
  const int64_t raster = tile.rows > 0 && !tile.whole ? profile->matmul.raster : 1;
  if (tile.rows == 0) tile = choose_tile(e, search, matrix_tiles(e, search));
  if (tile.rows == 0) return e.fail("plan.capacity", "no tile of this product fits the scratchpad");
  MatmulPhase(e, layer, tile, raster).emit();
}

}  // namespace hadal::compile
