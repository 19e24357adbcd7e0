#include "compile/product.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace hadal::compile {

std::vector<int64_t> row_strides(const Placed& operand, size_t rank, int64_t m_stride) {
  std::vector<int64_t> strides(rank - 1, 0);
  const size_t batch = operand.extents.size() - 2, lead = rank - 2 - batch;
  for (size_t i = 0; i < batch; ++i)
    if (operand.extents[i] != 1) strides[lead + i] = operand.strides[i];
  strides[rank - 2] = m_stride;
  return strides;
}

IndexSpace row_space(IndexSpace space, std::initializer_list<size_t> without_rows) {
  space = merged(space, row_major(space.extents.size()));
  const auto differs = [&](size_t operand) { return space.strides[operand].back() != 0; };
  if (!std::any_of(without_rows.begin(), without_rows.end(), differs)) return space;
  space.extents.push_back(1);  // The last dim is a batch of theirs.
  for (auto& strides : space.strides) strides.push_back(0);
  return space;
}

Product product_of(const graph::Node& node, const Placed& a, const Placed& b, const Placed& out,
                   const std::vector<Placed>& streams, const std::vector<Placed>& scales) {
  const size_t rank = out.extents.size();
  const bool ta = node.attributes.integer("transpose_a"), tb = node.attributes.integer("transpose_b");
  Product p;
  p.n = out.extents[rank - 1];
  p.k = from_end(a.extents, ta ? 2 : 1);
  p.a_k = from_end(a.strides, ta ? 2 : 1);
  p.b_k = from_end(b.strides, tb ? 1 : 2);
  p.b_n = from_end(b.strides, tb ? 2 : 1);
  p.out_n = out.strides[rank - 1];
  IndexSpace space{{out.extents.begin(), out.extents.end() - 1}, {}};
  space.strides.push_back(row_strides(a, rank, from_end(a.strides, ta ? 1 : 2)));
  space.strides.push_back(row_strides(b, rank, 0));
  space.strides.push_back({out.strides.begin(), out.strides.end() - 1});
  for (const Placed& scale : scales)
    space.strides.push_back(row_strides(scale, rank, &scale == scales.data() ? from_end(scale.strides, 2) : 0));
  for (const Placed& stream : streams) {
    auto strides = broadcast_strides(stream, out.extents);
    p.streams_n.push_back(strides.back());
    strides.pop_back();
    space.strides.push_back(std::move(strides));
  }
  space = scales.empty() ? row_space(std::move(space), {1}) : row_space(std::move(space), {1, 4});
  p.rows = space.extents;
  p.a = space.strides[0];
  p.b = space.strides[1];
  p.out = space.strides[2];
  if (!scales.empty()) {
    p.a_scale = space.strides[3];
    p.b_scale = space.strides[4];
  }
  p.streams.assign(space.strides.begin() + 3 + static_cast<std::ptrdiff_t>(scales.size()), space.strides.end());
  return p;
}

Placed looked_up(const Lookup& lookup) {
  Placed out = lookup.table;
  out.extents[0] = lookup.index.extents[0];
  out.strides[0] = lookup.index.strides[0];
  return out;
}

MatrixOperand matrix_operand(Emitter& e, const Placed& placed, const std::vector<int64_t>& rows,
                             const std::vector<int64_t>& strides, std::pair<int64_t, int64_t> first,
                             std::pair<int64_t, int64_t> second, const std::string& name, bool may_swap) {
  MatrixOperand out;
  out.batch_strides.assign(strides.begin(), strides.end() - 1);
  Placed view = placed_over(placed, {rows.begin(), rows.end() - 1}, out.batch_strides);
  out.swapped = may_swap && std::abs(first.second) < std::abs(second.second) && first.first > 1;
  if (out.swapped) std::swap(first, second);
  view.extents.insert(view.extents.end(), {first.first, second.first});
  view.strides.insert(view.strides.end(), {first.second, second.second});
  out.tensor = e.tensor(view, name);
  return out;
}

MatrixOperand matrix_operand(Emitter& e, const Lookup& lookup, const std::vector<int64_t>& rows,
                             const std::vector<int64_t>& strides, const std::string& name) {
  MatrixOperand out;
  out.batch_strides.assign(strides.begin(), strides.end() - 1);
  out.tables = lookup.table.extents[0];
  Placed table = lookup.table;
  out.swapped = std::abs(table.strides[1]) < std::abs(table.strides[2]) && table.extents[1] > 1;
  if (out.swapped) {
    std::swap(table.extents[1], table.extents[2]);
    std::swap(table.strides[1], table.strides[2]);
  }
  out.tensor = e.tensor(table, name);
  Placed index = placed_over(lookup.index, {rows.begin(), rows.end() - 1}, out.batch_strides);
  if (index.extents.empty()) {  // A batch of one.
    index.extents = {1};
    index.strides = {bytes_of(index.dtype)};
  }
  out.index = e.tensor(index, name + ".index");
  return out;
}

std::optional<tile::TileView> load_index(Emitter& e, const MatrixOperand& operand, const std::vector<Expr>& batch) {
  if (operand.index < 0) return std::nullopt;
  tile::Window window{operand.index, {}, {}};
  for (size_t i = 0; i < std::max<size_t>(operand.batch_strides.size(), 1); ++i) {
    const bool varies = i < operand.batch_strides.size() && operand.batch_strides[i] != 0;
    window.origins.push_back(varies ? batch[i] : Expr(0));
    window.extents.emplace_back(1);
  }
  return e.load(Ring::index, window, "i", {Expr(1)});
}

tile::TileView load_matrix(Emitter& e, Ring ring, const MatrixOperand& operand, const std::vector<Expr>& batch,
                           const MatrixPart& part, const std::optional<tile::TileView>& index, const std::string& name,
                           const isa::Sharing& sharing) {
  Expr first = part.first, rows = part.first_extent, second = part.second, columns = part.second_extent;
  if (!index) {
    tile::Window window = matrix_window(operand, batch, first, rows, second, columns);
    if (operand.swapped) std::swap(rows, columns);
    return e.load(ring, window, name, {1, rows, columns}, sharing);
  }
  if (operand.swapped) {
    std::swap(first, second);
    std::swap(rows, columns);
  }
  const tile::Window window{operand.tensor, {Expr(0), first, second}, {Expr(operand.tables), rows, columns}};
  const tile::TileView tile{e.tile(ring, e.dtype_of(operand.tensor), name), {Expr(1), rows, columns}};
  e.emit(isa::Opcode::gather, isa::Queue::load, {tile, window, *index}, {Expr(1)});  // Clamped, as the op is.
  return tile;
}

tile::Window matrix_window(const MatrixOperand& operand, const std::vector<Expr>& batch, const Expr& first,
                           const Expr& first_extent, const Expr& second, const Expr& second_extent) {
  tile::Window window{operand.tensor, {}, {}};
  for (size_t i = 0; i < operand.batch_strides.size(); ++i) {
    window.origins.push_back(operand.batch_strides[i] == 0 ? Expr(0) : batch[i]);
    window.extents.emplace_back(1);
  }
  const std::pair one{first, first_extent}, two{second, second_extent};
  for (const auto& [origin, extent] : operand.swapped ? std::array{two, one} : std::array{one, two}) {
    window.origins.push_back(origin);
    window.extents.push_back(extent);
  }
  return window;
}

}  // namespace hadal::compile
