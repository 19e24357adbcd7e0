// Matrix multiplication: output tiles dealt to the cores, a loop over chunks of the contraction inside.
#include <algorithm>

#include "compile/known_tiles.h"
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
  std::vector<Placed> streams;
  Product p;
  int64_t batch, m;
};

MatmulLayer matmul_layer(Emitter& e, const Group& group) {
  const graph::Node& node = e.graph().nodes[static_cast<size_t>(group.main)];
  const graph::ValueId weights = node.inputs[1];
  const bool constant = e.graph().is_constant(weights);
  const bool blocks = constant && e.graph().type(weights).shape.size() == 2;
  const Placed a = e.operand(node.inputs[0]);
  const Placed b = blocks ? dense(*e.graph().value(weights).constant) : e.operand(weights);
  const Placed out = e.result(group.result);
  std::vector<Placed> streams;
  for (const graph::ValueId v : group.streams) streams.push_back(e.operand(v));
  const Product p = product_of(node, a, b, out, streams);
  const int64_t m = p.rows.back();
  const int64_t batch = total_of({p.rows.begin(), p.rows.end() - 1});
  return {group, node, weights, constant, blocks, a, b, out, std::move(streams), p, batch, m};
}

MatrixLayer search_layer(const Emitter& e, const MatmulLayer& layer) {
  MatrixLayer out;
  out.batch = layer.batch;
  out.rows = layer.m;
  out.n = layer.p.n;
  out.k = layer.p.k;
  out.operands = layer.a.dtype;
  out.stored_bytes = bytes_of(layer.out.dtype);
  out.constant_weights = layer.constant;
  out.far_stream = e.far(layer.a);
  out.far_weights = layer.constant || e.far(layer.b);
  out.far_result = e.far(layer.out);
  out.may_split = layer.constant && is_float(layer.a.dtype);
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
  void declare_results();
  void share();
  tile::TileView load_a(const TileBox& box, const Expr& k0, const Expr& kt);
  tile::TileView load_b(const TileBox& box, const Expr& block, const Expr& k0, const Expr& kt);
  /// What the core has already of a tile's operands.
  struct Held {
    const tile::TileView *a = nullptr, *b = nullptr;
  };
  /// Of columns `column` of tiles.
  void emit_tile(const TileBox& box, const std::vector<Expr>& at, const Expr& column, const Expr& number,
                 const Held& held, const std::vector<tile::Operand>& vectors);
  void emit_stack(const TileBox& stack, const std::vector<Expr>& at, const Expr& number);
  void emit_panel(const TileBox& rows, const std::vector<Expr>& at, const Expr& number);
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
  MatrixOperand from_a_, from_b_;
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
  if (!layer_.blocks) {
    from_b_ = matrix_operand(e_, layer_.b, p_.rows, p_.b, {p_.k, p_.b_k}, {p_.n, p_.b_n}, name);
    return;
  }
  const Placed laid = blocked_matrix(e_, layer_.weights, layer_.node.attributes.integer("transpose_b"), tile_.n);
  from_b_.tensor = e_.tensor(laid, name, false);
  e_.count_bytes(laid, p_.k * p_.n * bytes_of(laid.dtype));
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
  parts_.push_back(tile_.rows * tile_.stack);
  parts_.push_back(tile_.panel ? p_.n : tile_.n);
  counts_ = counts_of(whole_.extents, parts_);
  counts_.push_back(tile_.splits);
  std::vector<bool> varies_a(counts_.size(), true), varies_b(counts_.size(), true), varies_n(counts_.size(), false);
  for (size_t i = 0; i < row_; ++i) {
    varies_a[i] = p_.a[i] != 0;
    varies_b[i] = p_.b[i] != 0;
  }
  varies_b[row_] = varies_a[row_ + 1] = false;
  varies_n[row_ + 1] = varies_n.back() = true;
  share_n_ = e_.sharing(counts_, varies_n);
  share_a_ = e_.sharing(counts_, varies_a);
  share_b_ = e_.sharing(counts_, varies_b);
}

tile::TileView MatmulPhase::load_a(const TileBox& box, const Expr& k0, const Expr& kt) {
  const Expr mt = box.extents[row_];
  return e_.load(Ring::activation, matrix_window(from_a_, box.origins, box.origins[row_], mt, k0, kt), "a",
                 from_a_.swapped ? std::vector<Expr>{1, kt, mt} : std::vector<Expr>{1, mt, kt}, share_a_);
}

tile::TileView MatmulPhase::load_b(const TileBox& box, const Expr& block, const Expr& k0, const Expr& kt) {
  const Expr nt = box.extents[row_ + 1];
  return e_.load(e_.stationary(layer_.constant),
                 layer_.blocks ? tile::Window{from_b_.tensor, {block, k0, Expr(0)}, {Expr(1), kt, nt}}
                               : matrix_window(from_b_, box.origins, k0, kt, box.origins[row_ + 1], nt),
                 "b", from_b_.swapped ? std::vector<Expr>{1, nt, kt} : std::vector<Expr>{1, kt, nt}, share_b_);
}

void MatmulPhase::emit_tile(const TileBox& box, const std::vector<Expr>& at, const Expr& column, const Expr& number,
                            const Held& held, const std::vector<tile::Operand>& vectors) {
  const Expr first_k = at.back() * Expr(tile_.part), last_k = min(first_k + Expr(tile_.part), Expr(p_.k));
  const Expr mt = box.extents[row_], nt = box.extents[row_ + 1];
  std::vector<tile::Operand> extra = vectors;
  if (extra_first_) load_tiles(e_, epilogue_, box, extra);
  const tile::TileView result{e_.tile(Ring::result, split_ ? DType::f32 : layer_.out.dtype, "y"), {Expr(1), mt, nt}};
  e_.loop("k", Expr(chunks_), [&](const Expr& chunk) {
    const Expr k0 = first_k + chunk * Expr(tile_.k);
    const bool even = tile_.part % tile_.k == 0 && p_.k % tile_.part == 0;
    const Expr kt = even ? Expr(tile_.k) : max(min(Expr(tile_.k), last_k - k0), Expr(0)).within(0, tile_.k);
    const tile::TileView a = held.a ? *held.a : load_a(box, k0, kt);
    const tile::TileView b = held.b ? *held.b : load_b(box, column, k0, kt);
    if (!extra_first_) load_tiles(e_, epilogue_, box, extra);
    std::vector<tile::Operand> operands{result, a, b};
    operands.insert(operands.end(), extra.begin(), extra.end());
    e_.emit(Opcode::matmul, Queue::matrix, operands,
            {accumulator_offset(e_, number), chunk, equal(chunk, Expr(chunks_ - 1)), chain_,
             Expr(from_a_.swapped ? 1 : 0), Expr(from_b_.swapped ? 1 : 0)});
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

void MatmulPhase::emit() {
  const bool raster = raster_ > 1;
  e_.units(raster ? std::vector<int64_t>{total_of(counts_)} : counts_,
           [&](const std::vector<Expr>& unit, const Expr& number) {
             const std::vector<Expr> at = raster ? rastered(counts_, unit[0], raster_) : unit;
             const TileBox box = tile_box(whole_.extents, parts_, at);
             if (tile_.panel)
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
  if (profile) tile = choose_known_product(e, search);
  const int64_t raster = tile.rows > 0 ? profile->matmul.raster : 1;
  if (tile.rows == 0) tile = choose_tile(e, search, matrix_tiles(e, search));
  if (tile.rows == 0) return e.fail("plan.capacity", "no tile of this product fits the scratchpad");
  MatmulPhase(e, layer, tile, raster).emit();
}

}  // namespace hadal::compile
