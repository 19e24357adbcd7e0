// Attention: the scores of a block of rows, their softmax and its product with the values stay in the core. The block
// is in halves, so that the lanes work on one while the array multiplies the other.
#include <algorithm>
#include <limits>

#include "compile/matrix_tiling.h"
#include "compile/product.h"
#include "graph/ops.h"
#include "rules/matrix.h"
#include "rules/vector.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

namespace {

/// out[b..., m, n] = softmax(q[b..., m, d] k[b..., d, s]) v[b..., s, n], an epilogue behind each product.
class AttentionPhase {
 public:
  AttentionPhase(Emitter& e, const Group& scores, const Group& mix);
  /// False where the scores of a few rows do not fit.
  [[nodiscard]] bool fits() const { return block_ > 0; }
  void emit();

 private:
  struct Side {
    const Group& group;
    std::vector<Placed> streams;
    std::vector<std::vector<int64_t>> strides;  ///< Over [rows..., last].
    std::vector<int> tensors;
    Expr chain;
  };
  void declare();
  [[nodiscard]] Expr heads_of(const TileBox& box) const { return heads_ > 1 ? box.extents[0] : Expr(1); }
  void declare_streams(Side& side, int64_t last);
  void choose_block();
  [[nodiscard]] double unit_cycles(int64_t half, int64_t halves) const;
  TileView product(Side& side, const TileBox& box, Ring ring, const TileView& a, bool a_swapped, const TileView& b,
                   bool b_swapped, const Expr& number);

  Emitter& e_;
  const graph::Node &scores_node_, &mix_node_;
  Placed q_, k_, v_, out_;
  Side scores_, mix_;
  DType scores_type_, weights_type_;
  std::vector<int64_t> rows_;                      ///< Extents of the batch dims and m.
  std::vector<std::vector<int64_t>> row_strides_;  ///< Of q, k, v and out over these.
  int64_t m_ = 1, d_ = 1, s_ = 1, n_ = 1;
  int64_t block_ = 0, halves_ = 1, half_ = 0;  ///< Rows of a unit; parts of it, and their rows.
  int64_t heads_ = 1;                          ///< Of the batch, in a unit; more than one where a unit has all rows.
  MatrixOperand from_q_, from_k_, from_v_;
  int to_ = 0;
};

AttentionPhase::AttentionPhase(Emitter& e, const Group& scores, const Group& mix)
    : e_(e),
      scores_node_(e.graph().nodes[static_cast<size_t>(scores.main)]),
      mix_node_(e.graph().nodes[static_cast<size_t>(mix.main)]),
      q_(e.operand(scores_node_.inputs[0])),
      k_(e.operand(scores_node_.inputs[1])),
      v_(e.operand(mix_node_.inputs[1])),
      out_(e.result(mix.result)),
      scores_{scores, {}, {}, {}, {}},
      mix_{mix, {}, {}, {}, {}},
      scores_type_(e.graph().type(scores.result).dtype),
      weights_type_(e.graph().type(mix_node_.inputs[0]).dtype) {
  const Shape& score_shape = e.graph().type(scores.result).shape;
  const size_t rank = out_.extents.size();
  const bool tq = scores_node_.attributes.integer("transpose_a");
  d_ = from_end(q_.extents, tq ? 2 : 1);
  s_ = score_shape.back();
  n_ = out_.extents.back();
  IndexSpace space{{out_.extents.begin(), out_.extents.end() - 1}, {}};
  space.strides = {row_strides(q_, rank, from_end(q_.strides, tq ? 1 : 2)),
                   row_strides(k_, rank, 0),
                   row_strides(v_, rank, 0),
                   {out_.strides.begin(), out_.strides.end() - 1}};
  for (Side* side : {&scores_, &mix_})
    for (const graph::ValueId v : side->group.streams) {
      side->streams.push_back(e.operand(v));
      side->strides.push_back(broadcast_strides(side->streams.back(), side == &scores_ ? score_shape : out_.extents));
      space.strides.emplace_back(side->strides.back().begin(), side->strides.back().end() - 1);
    }
  space = row_space(std::move(space), {1, 2});
  rows_ = space.extents;
  m_ = rows_.back();
  row_strides_.assign(space.strides.begin(), space.strides.begin() + 4);
  size_t next = 4;
  for (Side* side : {&scores_, &mix_})
    for (auto& strides : side->strides) {
      const int64_t along = strides.back();
      strides = space.strides[next++];
      strides.push_back(along);
    }
  choose_block();
}

/// The array multiplies one half while the lanes are at the other.
double AttentionPhase::unit_cycles(int64_t half, int64_t halves) const {
  const chip::Chip& chip = e_.chip();
  const auto array = [&](int64_t k, int64_t n) {
    return static_cast<double>(rules::matrix_cycles(chip.matrix, {half, k, n, 1, q_.dtype}).array);
  };
  const rules::RowWork rows{half, s_, half * s_ * bytes_of(scores_type_), true};
  const auto lanes = static_cast<double>(rules::softmax_cycles(rules::vector_unit(chip), rows, {}));
  const double scores = array(d_, s_), mix = array(s_, n_);
  return halves == 1 ? scores + lanes + mix : scores + std::max(scores, lanes) + std::max(lanes, mix) + mix;
}

void AttentionPhase::choose_block() {
  const chip::Scratchpad& pad = e_.chip().scratchpad;
  const int64_t bytes = bytes_of(q_.dtype),
                sums = pad.accumulator_bytes / std::max<int64_t>(pad.accumulator_tiles, 1) / 4;
  if (s_ * std::max(d_, n_) * bytes > e_.limit(Ring::activation2)) return;
  const auto holds = [&](int64_t half) {
    return half * s_ * bytes_of(scores_type_) <= e_.limit(Ring::score) && half * s_ <= sums &&
           half * s_ * bytes_of(weights_type_) <= e_.limit(Ring::probability) &&
           half * d_ * bytes <= e_.limit(Ring::activation) &&
           half * n_ * bytes_of(out_.dtype) <= e_.limit(Ring::result) &&
           half * std::max(s_, n_) * 4 <= e_.limit(Ring::residual);
  };
  if (e_.plan().profile && e_.plan().profile->attention.queries > 0) {
    const Profile::Attention& kernel = e_.plan().profile->attention;
    half_ = std::min(m_, kernel.queries);
    const auto fits = [&] {
      return holds(half_ * heads_) && heads_ * s_ * std::max(d_, n_) * bytes <= e_.limit(Ring::activation2);
    };
    while (half_ > 1 && !fits()) half_ = (half_ + 1) / 2;
    if (half_ == m_ && rows_.size() == 2) heads_ = std::min(rows_[0], kernel.heads);
    while (heads_ > 1 && !fits()) heads_ = (heads_ + 1) / 2;
    if (fits()) block_ = half_;
    return;
  }
  int64_t batch = 1;
  for (size_t i = 0; i + 1 < rows_.size(); ++i) batch *= rows_[i];
  constexpr int64_t least_rows = 8, most_parts = 64;  // Below that the unfused phases waste less of the array.
  constexpr double start = 200;                       // Of a unit: its first loads, its last store.
  double least = std::numeric_limits<double>::infinity();
  for (int64_t parts = 1; parts <= std::min(m_, most_parts); ++parts) {
    const int64_t block = (m_ + parts - 1) / parts;
    for (const int64_t halves : {1, 2}) {
      const int64_t half = (block + halves - 1) / halves;
      if (half < std::min(m_, least_rows) || !holds(half)) continue;
      const int64_t rounds = (batch * ((m_ + block - 1) / block) + e_.cores() - 1) / e_.cores();
      const double cycles = static_cast<double>(rounds) * unit_cycles(half, halves) + start;
      if (cycles >= least) continue;
      least = cycles;
      block_ = block;
      halves_ = halves;
      half_ = half;
    }
  }
}

void AttentionPhase::declare_streams(Side& side, int64_t extent) {
  std::vector<int64_t> extents = rows_;
  extents.push_back(extent);
  for (size_t i = 0; i < side.streams.size(); ++i)
    side.tensors.push_back(e_.tensor(placed_over(side.streams[i], extents, side.strides[i]),
                                     e_.graph().value(side.group.streams[i]).name));
  side.chain = side.group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e_.add_chain(side.group.chain));
}

void AttentionPhase::declare() {
  const graph::Graph& graph = e_.graph();
  const auto name = [&](graph::ValueId v) { return graph.value(v).name; };
  const bool tq = scores_node_.attributes.integer("transpose_a"), tk = scores_node_.attributes.integer("transpose_b"),
             tv = mix_node_.attributes.integer("transpose_b");
  from_q_ = matrix_operand(e_, q_, rows_, row_strides_[0], {m_, row_strides_[0].back()},
                           {d_, from_end(q_.strides, tq ? 2 : 1)}, name(scores_node_.inputs[0]));
  from_k_ = matrix_operand(e_, k_, rows_, row_strides_[1], {d_, from_end(k_.strides, tk ? 1 : 2)},
                           {s_, from_end(k_.strides, tk ? 2 : 1)}, name(scores_node_.inputs[1]));
  from_v_ = matrix_operand(e_, v_, rows_, row_strides_[2], {s_, from_end(v_.strides, tv ? 1 : 2)},
                           {n_, from_end(v_.strides, tv ? 2 : 1)}, name(mix_node_.inputs[1]));
  Placed view = out_;
  view.extents = rows_;
  view.extents.push_back(n_);
  view.strides = row_strides_[3];
  view.strides.push_back(out_.strides.back());
  to_ = e_.tensor(view, name(mix_.group.result));
  declare_streams(scores_, s_);
  declare_streams(mix_, n_);
}

TileView AttentionPhase::product(Side& side, const TileBox& box, Ring ring, const TileView& a, bool a_swapped,
                                 const TileView& b, bool b_swapped, const Expr& number) {
  const Epilogue epilogue{side.group, side.streams, side.tensors, side.strides, 3};
  std::vector<tile::Operand> extra = load_vectors(e_, epilogue, box, {});
  load_tiles(e_, epilogue, box, extra);
  const size_t row = rows_.size() - 1;
  const DType type = ring == Ring::score ? scores_type_ : out_.dtype;
  const TileView y{e_.tile(ring, type, ring == Ring::score ? "s" : "y"),
                   {heads_of(box), box.extents[row], box.extents[row + 1]}};
  std::vector<tile::Operand> operands{y, a, b};
  operands.insert(operands.end(), extra.begin(), extra.end());
  e_.emit(
      Opcode::matmul, Queue::matrix, operands,
      {accumulator_offset(e_, number), Expr(0), Expr(1), side.chain, Expr(a_swapped ? 1 : 0), Expr(b_swapped ? 1 : 0)});
  return y;
}

void AttentionPhase::emit() {
  const graph::Graph& graph = e_.graph();
  e_.begin_phase(graph.value(mix_.group.result).name, "attention", e_.nodes());
  int64_t all = m_;
  for (size_t i = 0; i + 1 < rows_.size(); ++i) all *= rows_[i];
  e_.account(static_cast<uint64_t>(all * s_) * static_cast<uint64_t>(d_ + n_), q_.dtype);
  declare();
  const size_t row = rows_.size() - 1;
  std::vector<int64_t> extents = rows_, parts(rows_.size(), 1);
  extents.push_back(n_);
  parts.back() = block_;
  if (heads_ > 1) parts[0] = heads_;
  parts.push_back(n_);
  const auto whole = [&](const TileBox& box, int64_t extent) {
    TileBox out = box;
    out.origins[row + 1] = Expr(0);
    out.extents[row + 1] = Expr(extent);
    return out;
  };
  e_.units(counts_of(extents, parts), [&](const std::vector<Expr>& at, const Expr& number) {
    const TileBox unit = tile_box(extents, parts, at);
    std::vector<TileBox> boxes;
    for (int64_t h = 0; h < halves_; ++h) {
      TileBox box = unit;
      const Expr first(h * half_), rest = unit.extents[row] - first;
      box.origins[row] = unit.origins[row] + first;
      box.extents[row] = rest.lowest() >= half_ ? Expr(half_) : max(min(Expr(half_), rest), Expr(0)).within(0, half_);
      boxes.push_back(std::move(box));
    }
    const auto load = [&](Ring ring, const MatrixOperand& from, const TileBox& box, const Expr& first, const Expr& rows,
                          const Expr& columns, const char* name) {
      tile::Window window = matrix_window(from, box.origins, first, rows, Expr(0), columns);
      Expr heads(1);
      if (heads_ > 1 && from.batch_strides[0] != 0) heads = window.extents[0] = box.extents[0];
      return e_.load(ring, window, name,
                     from.swapped ? std::vector<Expr>{heads, columns, rows} : std::vector<Expr>{heads, rows, columns});
    };
    std::vector<TileView> q, scores, weights;
    for (const TileBox& box : boxes)
      q.push_back(load(Ring::activation, from_q_, box, box.origins[row], box.extents[row], Expr(d_), "q"));
    const TileView k = load(Ring::activation2, from_k_, unit, Expr(0), Expr(d_), Expr(s_), "k");
    for (size_t h = 0; h < boxes.size(); ++h)
      scores.push_back(product(scores_, whole(boxes[h], s_), Ring::score, q[h], from_q_.swapped, k, from_k_.swapped,
                               number * Expr(2 * halves_) + Expr(static_cast<int64_t>(h))));
    const TileView v = load(Ring::activation2, from_v_, unit, Expr(0), Expr(s_), Expr(n_), "v");
    for (size_t h = 0; h < boxes.size(); ++h) {
      weights.push_back({e_.tile(Ring::probability, weights_type_, "p"), scores[h].extents});
      e_.emit(Opcode::softmax, Queue::vector, {weights[h], scores[h]}, {Expr(0)});
    }
    for (size_t h = 0; h < boxes.size(); ++h) {
      const TileView y = product(mix_, boxes[h], Ring::result, weights[h], false, v, from_v_.swapped,
                                 number * Expr(2 * halves_) + Expr(halves_ + static_cast<int64_t>(h)));
      e_.store({to_, boxes[h].origins, boxes[h].extents}, y);
    }
  });
}

}  // namespace

bool emit_attention(Emitter& e, const Group& group) {
  AttentionPhase phase(e, group.before[0], group);
  if (!phase.fits()) return false;
  phase.emit();
  return true;
}

}  // namespace hadal::compile
