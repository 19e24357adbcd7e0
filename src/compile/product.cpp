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
                   const std::vector<Placed>& streams) {
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
  for (const Placed& stream : streams) {
    auto strides = broadcast_strides(stream, out.extents);
    p.streams_n.push_back(strides.back());
    strides.pop_back();
    space.strides.push_back(std::move(strides));
  }
  space = row_space(std::move(space), {1});
  p.rows = space.extents;
  p.a = space.strides[0];
  p.b = space.strides[1];
  p.out = space.strides[2];
  p.streams.assign(space.strides.begin() + 3, space.strides.end());
  return p;
}

MatrixOperand matrix_operand(Emitter& e, const Placed& placed, const std::vector<int64_t>& rows,
                             const std::vector<int64_t>& strides, std::pair<int64_t, int64_t> first,
                             std::pair<int64_t, int64_t> second, const std::string& name) {
  MatrixOperand out;
  out.batch_strides.assign(strides.begin(), strides.end() - 1);
  Placed view = placed_over(placed, {rows.begin(), rows.end() - 1}, out.batch_strides);
  out.swapped = std::abs(first.second) < std::abs(second.second) && first.first > 1;
  if (out.swapped) std::swap(first, second);
  view.extents.insert(view.extents.end(), {first.first, second.first});
  view.strides.insert(view.strides.end(), {first.second, second.second});
  out.tensor = e.tensor(view, name);
  return out;
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
