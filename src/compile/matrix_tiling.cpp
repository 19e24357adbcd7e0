#include "compile/matrix_tiling.h"

#include <algorithm>

namespace hadal::compile {

Expr stack_tiles(const TileBox& stack, size_t rows, const MatrixTile& tile) {
  if (tile.stack == 1) return Expr(1);
  return ceil_div(stack.extents[rows], Expr(tile.rows)).within(1, tile.stack);
}

TileBox tile_of_stack(const TileBox& stack, size_t rows, const MatrixTile& tile, const Expr& i) {
  if (tile.stack == 1) return stack;
  TileBox box = stack;
  const Expr first = i * Expr(tile.rows), extent = stack.extents[rows];
  box.origins[rows] = stack.origins[rows] + first;
  const bool even = extent.is_constant() && extent.constant() % tile.rows == 0;
  box.extents[rows] = even ? Expr(tile.rows) : min(Expr(tile.rows), extent - first).within(1, tile.rows);
  return box;
}

Placed partial_sums(Emitter& e, const Placed& out, int64_t splits, const std::string& name) {
  Shape extents = out.extents;
  extents.insert(extents.begin(), splits);
  return e.scratch(name + ".parts", DType::f32, extents, row_major(extents.size()));
}

isa::Chain continued(isa::Chain first, const isa::Chain& then) {
  const size_t before = first.steps.size();
  const auto inputs = static_cast<size_t>(first.inputs);
  first.inputs = static_cast<uint8_t>(first.inputs + std::max<int>(then.inputs, 1) - 1);
  for (isa::ChainStep step : then.steps) {
    for (int i = 0; i < isa::chain_ops()[step.op].operands; ++i) {
      uint8_t& operand = step.operands[static_cast<size_t>(i)];
      operand = static_cast<uint8_t>(operand == 0                  ? isa::chain_inputs + before - 1
                                     : operand < isa::chain_inputs ? operand + inputs - 1
                                                                   : operand + before);
    }
    first.steps.push_back(step);
  }
  return first;
}

void emit_combine(Emitter& e, const Group& group, const Placed& partial, const Placed& out,
                  const std::vector<Placed>& streams, const std::vector<std::vector<int64_t>>& strides,
                  const std::string& op) {
  const auto splits = static_cast<uint8_t>(partial.extents[0]);
  std::vector<MapOperand> operands;
  isa::Chain chain{DType::f32, splits, {}};
  const auto result_of = [](size_t step) {
    return static_cast<uint8_t>(static_cast<size_t>(isa::chain_inputs) + step);
  };
  Placed slice = partial;
  slice.extents.erase(slice.extents.begin());
  slice.strides.erase(slice.strides.begin());
  for (uint8_t s = 0; s < splits; ++s) {
    operands.push_back({slice, slice.strides, e.graph().value(group.result).name + ".parts", false});
    slice.offset += partial.strides[0];
    if (s > 0)
      chain.steps.push_back(
          {*isa::chain_op_named("add"), {s == 1 ? uint8_t{0} : result_of(chain.steps.size() - 1), s, 0}, 0, 0});
  }
  chain = continued(std::move(chain), group.chain);
  for (size_t i = 0; i < streams.size(); ++i)
    operands.push_back(
        {streams[i], strides[i], e.graph().value(group.streams[i]).name, e.graph().is_constant(group.streams[i])});
  emit_chain(e, e.graph().value(group.result).name, op, out, operands, chain);
}

namespace {

/// Whether a stream is a vector of constants along the last dim of a box.
bool is_vector(const Emitter& e, const Epilogue& epilogue, size_t i, const TileBox& box) {
  const auto& own = epilogue.strides[i];
  return e.graph().is_constant(epilogue.group.streams[i]) &&
         std::all_of(own.begin(), own.end() - 1, [](int64_t s) { return s == 0; }) &&
         box.extents.back().highest() * bytes_of(epilogue.streams[i].dtype) <= e.limit(Ring::parameter);
}

}  // namespace

tile::TileView load_operand(Emitter& e, const Epilogue& epilogue, size_t i, const TileBox& box, Ring ring,
                            const isa::Sharing& sharing) {
  const tile::Window window = window_of(epilogue.tensors[i], epilogue.strides[i], box);
  // Leading dims of the box are single: what is left is the view's rank.
  const size_t kept = std::min(epilogue.rank, window.extents.size());
  std::vector<Expr> shape(window.extents.end() - static_cast<std::ptrdiff_t>(kept), window.extents.end());
  while (shape.size() < epilogue.rank) shape.insert(shape.begin(), Expr(1));
  return e.load(ring, window, ring == Ring::parameter ? "p" : "r", shape, sharing);
}

std::vector<tile::Operand> load_vectors(Emitter& e, const Epilogue& epilogue, const TileBox& box,
                                        const isa::Sharing& sharing) {
  std::vector<tile::Operand> out(epilogue.streams.size());
  for (size_t i = 0; i < out.size(); ++i)
    if (is_vector(e, epilogue, i, box)) out[i] = load_operand(e, epilogue, i, box, Ring::parameter, sharing);
  return out;
}

void load_tiles(Emitter& e, const Epilogue& epilogue, const TileBox& box, std::vector<tile::Operand>& operands,
                const std::vector<isa::Sharing>& sharing) {
  for (size_t i = 0; i < operands.size(); ++i)
    if (std::holds_alternative<std::monostate>(operands[i]))
      operands[i] = load_operand(e, epilogue, i, box, Ring::residual, sharing.empty() ? isa::Sharing{} : sharing[i]);
}

bool epilogue_first(const Emitter& e, const std::vector<Placed>& streams, const Placed& x, int64_t chunks) {
  return chunks > 1 || std::all_of(streams.begin(), streams.end(),
                                   [&](const Placed& stream) { return e.stored_at(stream) < e.stored_at(x); });
}

Expr accumulator_offset(const Emitter& e, const Expr& i) {
  const int64_t tiles = std::max<int64_t>(e.chip().scratchpad.accumulator_tiles, 1);
  return mod(i, Expr(tiles)) * Expr(e.chip().scratchpad.accumulator_bytes / tiles / 128 * 128);
}

}  // namespace hadal::compile
