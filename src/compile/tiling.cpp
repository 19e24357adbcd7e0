#include "compile/tiling.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace hadal::compile {

IndexSpace merged(const IndexSpace& space, const Order& order, size_t keep) {
  IndexSpace out;
  out.strides.resize(space.strides.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t dim = order[i];
    const bool kept = i + keep >= order.size();
    if (!kept && space.extents[dim] == 1) continue;
    const bool first_kept = i + keep == order.size();
    bool merges = !out.extents.empty() && !kept;
    if (first_kept) merges = false;
    for (size_t o = 0; merges && o < space.strides.size(); ++o)
      merges = out.strides[o].back() == space.strides[o][dim] * space.extents[dim];
    if (merges) {
      out.extents.back() *= space.extents[dim];
      for (size_t o = 0; o < space.strides.size(); ++o) out.strides[o].back() = space.strides[o][dim];
    } else {
      out.extents.push_back(space.extents[dim]);
      for (size_t o = 0; o < space.strides.size(); ++o) out.strides[o].push_back(space.strides[o][dim]);
    }
  }
  if (out.extents.empty()) {
    out.extents = {1};
    for (auto& strides : out.strides) strides = {0};
  }
  return out;
}

std::vector<int64_t> broadcast_strides(const Placed& operand, const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 0);
  const size_t lead = shape.size() - operand.extents.size();
  for (size_t i = 0; i < operand.extents.size(); ++i)
    if (operand.extents[i] != 1) strides[lead + i] = operand.strides[i];
  return strides;
}

std::vector<int64_t> choose_tile(const std::vector<int64_t>& extents, int64_t elements,
                                 const std::vector<bool>& whole) {
  std::vector<int64_t> tile(extents.size(), 1);
  int64_t taken = 1;
  for (size_t i = 0; i < extents.size(); ++i)
    if (whole[i]) taken *= tile[i] = extents[i];
  for (size_t i = extents.size(); i-- > 0;) {
    if (whole[i]) continue;
    const int64_t room = std::max<int64_t>(elements / taken, 1);
    tile[i] = extents[i] <= room ? extents[i] : even_part(extents[i], room);
    taken *= tile[i];
    if (tile[i] < extents[i]) break;
  }
  return tile;
}

std::vector<int64_t> choose_tile(const std::vector<int64_t>& extents, int64_t elements, size_t whole) {
  std::vector<bool> mask(extents.size(), false);
  for (size_t i = 0; i < whole; ++i) mask[mask.size() - 1 - i] = true;
  return choose_tile(extents, elements, mask);
}

int64_t total_of(const std::vector<int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

Order order_by_strides(const std::vector<int64_t>& strides) {
  Order order = row_major(strides.size());
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return std::abs(strides[a]) > std::abs(strides[b]); });
  return order;
}

Placed placed_over(const Placed& placed, const std::vector<int64_t>& extents, const std::vector<int64_t>& strides) {
  Placed out = placed;
  out.extents = extents;
  out.strides = strides;
  for (size_t i = 0; i < extents.size(); ++i)
    if (strides[i] == 0) out.extents[i] = 1;
  return out;
}

Placed in_space(const Placed& placed, const IndexSpace& space, size_t operand) {
  return placed_over(placed, space.extents, space.strides[operand]);
}

Placed repeated(const Placed& placed, const IndexSpace& space, size_t operand) {
  Placed out = in_space(placed, space, operand);
  out.extents = space.extents;
  return out;
}

int64_t tile_elements(int64_t total, int64_t cores, int64_t most) {
  constexpr int64_t least = 2048;  // Below, descriptors and latency cost more than the elements.
  return std::clamp((total + cores - 1) / cores, std::min(least, most), most);
}

int64_t tile_elements(const Emitter& e, int64_t total, int64_t most) {
  constexpr int64_t tiles = 8, times = 4;
  if (!e.plan().profile && has_large_scratchpad(e.chip()))
    most = std::clamp(total / e.cores() / tiles, most, times * most);
  return tile_elements(total, e.cores(), most);
}

bool check_fit(Emitter& e, const RowFit& fit) {
  if (!fit.fits())
    e.fail("plan.capacity",
           fmt::format("a row of {} elements does not fit a scratchpad tile of {}", fit.row, fit.most));
  return fit.fits();
}

std::vector<int64_t> counts_of(const std::vector<int64_t>& extents, const std::vector<int64_t>& tile) {
  std::vector<int64_t> counts(extents.size());
  for (size_t i = 0; i < extents.size(); ++i) counts[i] = (extents[i] + tile[i] - 1) / tile[i];
  return counts;
}

std::vector<Expr> rastered(const std::vector<int64_t>& counts, const Expr& unit, int64_t raster) {
  const size_t row = counts.size() - 3;
  const int64_t rows = counts[row], columns = counts[row + 1], parts = counts[row + 2];
  const Expr high(std::min(raster, rows)), tile = mod(unit, Expr(rows * columns * parts));
  std::vector<Expr> at(counts.size());
  Expr batch = floor_div(unit, Expr(rows * columns * parts));
  for (size_t d = row; d-- > 0;) {
    at[d] = mod(batch, Expr(counts[d]));
    batch = floor_div(batch, Expr(counts[d]));
  }
  const Expr place = floor_div(tile, Expr(parts)), first = floor_div(place, high * Expr(columns)) * high;
  const bool even = rows % high.constant() == 0;
  const Expr size = even ? high : min(high, Expr(rows) - first).within(1, high.constant());
  const Expr inside = place - first * Expr(columns);
  at[row] = (first + mod(inside, size)).within(0, rows - 1);
  at[row + 1] = floor_div(inside, size).within(0, columns - 1);
  at[row + 2] = mod(tile, Expr(parts));
  return at;
}

TileBox tile_box(const std::vector<int64_t>& extents, const std::vector<int64_t>& tile, const std::vector<Expr>& at) {
  TileBox box;
  for (size_t i = 0; i < extents.size(); ++i) {
    const Expr origin = at[i] * Expr(tile[i]);
    box.origins.push_back(origin);
    const bool ragged = extents[i] % tile[i] != 0;
    box.extents.push_back(ragged ? min(Expr(tile[i]), Expr(extents[i]) - origin) : Expr(tile[i]));
  }
  return box;
}

tile::Window window_of(int tensor, const std::vector<int64_t>& strides, const TileBox& box) {
  tile::Window window{tensor, {}, {}};
  for (size_t i = 0; i < strides.size(); ++i) {
    window.origins.push_back(strides[i] == 0 ? Expr(0) : box.origins[i]);
    window.extents.push_back(strides[i] == 0 ? Expr(1) : box.extents[i]);
  }
  return window;
}

}  // namespace hadal::compile
