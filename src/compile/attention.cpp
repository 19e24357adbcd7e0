#include "compile/attention.h"

#include <algorithm>

#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
using tile::TileView;

Attention::Attention(Emitter& emitter, const Group& score_group, const Group& mix_group)
    : e(emitter),
      scores{score_group, {}, {}, {}, {}, {}},
      mixed{mix_group, {}, {}, {}, {}, {}},
      scores_type(e.graph().type(score_group.result).dtype),
      scores_node_(e.graph().nodes[static_cast<size_t>(score_group.main)]),
      mix_node_(e.graph().nodes[static_cast<size_t>(mix_group.main)]) {
  q = e.operand(scores_node_.inputs[0]);
  k = e.operand(scores_node_.inputs[1]);
  v = e.operand(mix_node_.inputs[1]);
  out = e.result(mix_group.result);
  weights_type = e.graph().type(mix_node_.inputs[0]).dtype;
  const Shape& score_shape = e.graph().type(score_group.result).shape;
  const size_t rank = out.extents.size();
  const bool tq = scores_node_.attributes.integer("transpose_a");
  d = from_end(q.extents, tq ? 2 : 1);
  s = score_shape.back();
  n = out.extents.back();
  IndexSpace space{{out.extents.begin(), out.extents.end() - 1}, {}};
  space.strides = {row_strides(q, rank, from_end(q.strides, tq ? 1 : 2)),
                   row_strides(k, rank, 0),
                   row_strides(v, rank, 0),
                   {out.strides.begin(), out.strides.end() - 1}};
  for (Side* side : {&scores, &mixed})
    for (const graph::ValueId stream : side->group.streams) {
      side->streams.push_back(e.operand(stream));
      side->strides.push_back(broadcast_strides(side->streams.back(), side == &scores ? score_shape : out.extents));
      space.strides.emplace_back(side->strides.back().begin(), side->strides.back().end() - 1);
    }
  space = row_space(std::move(space), {1, 2});
  rows = space.extents;
  m = rows.back();
  row_strides_.assign(space.strides.begin(), space.strides.begin() + 4);
  size_t next = 4;
  for (Side* side : {&scores, &mixed})
    for (auto& strides : side->strides) {
      const int64_t along = strides.back();
      strides = space.strides[next++];
      strides.push_back(along);
    }
}

int64_t Attention::batch() const { return total_of({rows.begin(), rows.end() - 1}); }

void Attention::declare_streams(Side& side, int64_t last) {
  std::vector<int64_t> extents = rows;
  extents.push_back(last);
  for (size_t i = 0; i < side.streams.size(); ++i)
    side.tensors.push_back(
        e.tensor(placed_over(side.streams[i], extents, side.strides[i]), e.graph().value(side.group.streams[i]).name));
  isa::Chain chain = side.group.chain;
  const auto added = [&] { return chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(chain)); };
  side.chain = side.shorter = added();
  if (side.group.mask_steps == 0) return;
  chain.steps.resize(chain.steps.size() - side.group.mask_steps);
  chain.inputs -= 1;
  side.shorter = added();
}

void Attention::begin(int64_t visible) {
  const auto name = [&](graph::ValueId of) { return e.graph().value(of).name; };
  e.begin_phase(name(mixed.group.result), "attention", e.nodes());
  e.account(static_cast<uint64_t>(visible) * static_cast<uint64_t>(d + n), q.dtype);
  const bool tq = scores_node_.attributes.integer("transpose_a"), tk = scores_node_.attributes.integer("transpose_b"),
             tv = mix_node_.attributes.integer("transpose_b");
  from_q_ = matrix_operand(e, q, rows, row_strides_[0], {m, row_strides_[0].back()},
                           {d, from_end(q.strides, tq ? 2 : 1)}, name(scores_node_.inputs[0]));
  from_k_ = matrix_operand(e, k, rows, row_strides_[1], {d, from_end(k.strides, tk ? 1 : 2)},
                           {s, from_end(k.strides, tk ? 2 : 1)}, name(scores_node_.inputs[1]));
  from_v_ = matrix_operand(e, v, rows, row_strides_[2], {s, from_end(v.strides, tv ? 1 : 2)},
                           {n, from_end(v.strides, tv ? 2 : 1)}, name(mix_node_.inputs[1]));
  Placed view = out;
  view.extents = rows;
  view.extents.push_back(n);
  view.strides = row_strides_[3];
  view.strides.push_back(out.strides.back());
  to = e.tensor(view, name(mixed.group.result));
  declare_streams(scores, s);
  declare_streams(mixed, n);
}

std::vector<int64_t> Attention::unit_counts(int64_t block, int64_t heads) {
  extents_ = rows;
  extents_.push_back(n);
  parts_.assign(rows.size(), 1);
  parts_.back() = block;
  if (heads > 1) parts_[0] = heads;
  parts_.push_back(n);
  return counts_of(extents_, parts_);
}

std::vector<TileBox> Attention::rows_of(const TileBox& unit, int64_t parts, int64_t part) const {
  const size_t row = rows.size() - 1;
  std::vector<TileBox> boxes;
  for (int64_t i = 0; i < parts; ++i) {
    TileBox box = unit;
    const Expr first(i * part), rest = unit.extents[row] - first;
    box.origins[row] = unit.origins[row] + first;
    box.extents[row] = rest.lowest() >= part ? Expr(part) : max(min(Expr(part), rest), Expr(0)).within(0, part);
    boxes.push_back(std::move(box));
  }
  return boxes;
}

TileView Attention::load(Ring ring, const MatrixOperand& from, const TileBox& box, const Expr& first,
                         const Expr& first_extent, const Expr& second, const Expr& second_extent, const char* name,
                         const isa::Sharing& sharing) const {
  tile::Window window = matrix_window(from, box.origins, first, first_extent, second, second_extent);
  Expr heads(1);
  if (!from.batch_strides.empty() && from.batch_strides[0] != 0) heads = window.extents[0] = box.extents[0];
  return e.load(ring, window, name,
                from.swapped ? std::vector<Expr>{heads, second_extent, first_extent}
                             : std::vector<Expr>{heads, first_extent, second_extent},
                sharing);
}

TileView Attention::load_q(const TileBox& box) const {
  const size_t row = rows.size() - 1;
  return load(Ring::activation, from_q_, box, box.origins[row], box.extents[row], Expr(0), Expr(d), "q", {});
}

TileView Attention::load_k(const TileBox& unit, const Expr& s0, const Expr& st, const isa::Sharing& sharing) const {
  return load(Ring::activation2, from_k_, unit, Expr(0), Expr(d), s0, st, "k", sharing);
}

TileView Attention::load_v(const TileBox& unit, const Expr& s0, const Expr& st, const isa::Sharing& sharing) const {
  return load(Ring::activation2, from_v_, unit, s0, st, Expr(0), Expr(n), "v", sharing);
}

TileView Attention::product(Side& side, const TileBox& box, Ring ring, DType dtype, size_t count, const Expr& chain,
                            const TileView& a, bool a_swapped, const TileView& b, bool b_swapped, const Expr& number) {
  const std::vector<Placed> streams(side.streams.begin(), side.streams.begin() + static_cast<std::ptrdiff_t>(count));
  const Epilogue epilogue{side.group, streams, side.tensors, side.strides, 3};
  std::vector<tile::Operand> extra = load_vectors(e, epilogue, box, {});
  load_tiles(e, epilogue, box, extra, side.sharing);
  const size_t row = rows.size() - 1;
  const Expr heads = rows.size() > 1 ? box.extents[0] : Expr(1);
  const TileView y{e.tile(ring, dtype, &side == &scores ? "s" : "y"), {heads, box.extents[row], box.extents[row + 1]}};
  std::vector<tile::Operand> operands{y, a, b};
  operands.insert(operands.end(), extra.begin(), extra.end());
  e.emit(Opcode::matmul, Queue::matrix, operands,
         {accumulator_offset(e, number), Expr(0), Expr(1), chain, Expr(a_swapped ? 1 : 0), Expr(b_swapped ? 1 : 0)});
  return y;
}

TileView Attention::score(const TileBox& box, const TileView& query, const TileView& keys, const Expr& number,
                          bool masked) {
  return product(scores, box, Ring::score, scores_type, scores.streams.size() - (masked ? 0 : 1),
                 masked ? scores.chain : scores.shorter, query, from_q_.swapped, keys, from_k_.swapped, number);
}

TileView Attention::mix(const TileBox& box, Ring ring, DType dtype, bool epilogue, const TileView& weights,
                        const TileView& values, const Expr& number) {
  return product(mixed, box, ring, dtype, epilogue ? mixed.streams.size() : 0,
                 epilogue ? mixed.chain : Expr(isa::no_chain), weights, false, values, from_v_.swapped, number);
}

}  // namespace hadal::compile
