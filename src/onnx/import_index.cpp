// Operators that read or write at computed positions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/importer.h"

namespace hadal::onnx {

namespace {

ValueId as_indices(Site& n, ValueId v) {
  const DType dtype = n.b.dtype(v);
  if (dtype == DType::i32 || dtype == DType::i64) return v;
  return n.b.cast(v, DType::i64);
}

/// A known single index is a slice.
Values gather(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  const Shape x = n.b.shape(n[0]);
  const int64_t extent = x[static_cast<size_t>(axis)];
  const Tensor* const known = n.b.known(n[1]);
  if (known) {
    for (int64_t i = 0; i < known->size(); ++i)
      if (const int64_t at = integer_at(*known, i); at < -extent || at >= extent)
        fail("onnx.shape", "index {} is outside the extent, {}", at, extent);
  }
  if (known && known->size() == 1 && !n.b.known(n[0])) {
    const int64_t at = integer_at(*known, 0);
    const Shape kept = known->shape;
    const ValueId part = n.b.slice(n[0], axis, at < 0 ? at + extent : at, 1);
    Shape to(x.begin(), x.begin() + axis);
    to.insert(to.end(), kept.begin(), kept.end());
    to.insert(to.end(), x.begin() + axis + 1, x.end());
    return {n.b.reshape(part, to)};
  }
  return {n.make(ops::gather, {n[0], as_indices(n, n[1])}, {{"axis", axis}})};
}

Values gather_elements(Site& n) {
  return {n.make(ops::gather_elements, {n[0], as_indices(n, n[1])},
                 {{"axis", Site::axis(n.integer("axis"), n.b.rank(n[0]))}})};
}

Values gather_nd(Site& n) {
  return {n.make(ops::gather_nd, {n[0], as_indices(n, n[1])}, {{"batch", n.integer("batch_dims")}})};
}

std::string combine_of(const Site& n) {
  const std::string reduction = n.text("reduction", "none");
  return reduction == "none" ? "set" : reduction;
}

Values scatter_elements(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  return {
      n.make(ops::scatter_elements, {n[0], as_indices(n, n[1]), n[2]}, {{"axis", axis}, {"combine", combine_of(n)}})};
}

Values scatter_nd(Site& n) {
  return {n.make(ops::scatter_nd, {n[0], as_indices(n, n[1]), n[2]}, {{"combine", combine_of(n)}})};
}

Values topk(Site& n) {
  const int64_t axis = Site::axis(n.integer("axis", -1), n.b.rank(n[0]));
  const int64_t k = n.has("k") ? n.integer("k") : n.integer(1, "K");
  return n.b.make_all(
      ops::topk, {n[0]},
      {{"k", k}, {"axis", axis}, {"largest", n.integer("largest", 1)}, {"sorted", n.integer("sorted", 1)}});
}

Values cumsum(Site& n) {
  const int64_t axis = Site::axis(n.integer(1, "axis"), n.b.rank(n[0]));
  return {n.make(ops::cumsum, {n[0]},
                 {{"axis", axis}, {"exclusive", n.integer("exclusive")}, {"reverse", n.integer("reverse")}})};
}

/// where(index == position, on, off): positions are a constant along the new axis.
Values one_hot(Site& n) {
  const double count = n.number(1, "depth");
  if (!(count >= 1 && count < 0x1p31)) fail("onnx.shape", "the depth is {}", count);
  const auto depth = static_cast<int64_t>(count);
  const int64_t rank = n.b.rank(n[0]), axis = Site::axis(n.integer("axis", -1), rank + 1);
  if (n.b.shape(n[2]) != Shape{2}) fail("onnx.shape", "values are {}, expected off and on", text_of(n.b.shape(n[2])));
  Shape apart = n.b.shape(n[0]), along(static_cast<size_t>(rank) + 1, 1);
  apart.insert(apart.begin() + axis, 1);
  along[static_cast<size_t>(axis)] = depth;
  Integers positions(static_cast<size_t>(depth));
  for (int64_t i = 0; i < depth; ++i) positions[static_cast<size_t>(i)] = i;
  ValueId index = n.b.reshape(n.b.cast(n[0], DType::i64), apart);
  index = n.make(ops::where, {n.make(ops::less, {index, n.b.scalar(DType::i64, 0)}),
                              n.make(ops::add, {index, n.b.scalar(DType::i64, count)}), index});
  const ValueId hit = n.make(ops::equal, {index, n.b.reshape(n.b.constant(positions), along)});
  const ValueId off = n.b.reshape(n.b.slice(n[2], 0, 0, 1), {}), on = n.b.reshape(n.b.slice(n[2], 0, 1, 1), {});
  return {n.make(ops::where, {hit, on, off})};
}

/// A constant mask of the last two axes picks x or zero.
Values trilu(Site& n) {
  const Shape shape = n.b.shape(n[0]);
  if (shape.size() < 2) fail("onnx.shape", "Trilu of {} axes", shape.size());
  const int64_t rows = shape[shape.size() - 2], columns = shape.back();
  const int64_t k = n.has(1) ? std::clamp<int64_t>(n.integer(1, "k"), -(int64_t{1} << 40), int64_t{1} << 40) : 0;
  const bool upper = n.integer("upper", 1) != 0;
  n.b.book(rows * columns);
  std::byte* data = nullptr;
  Tensor mask = Tensor::zeros(DType::boolean, {rows, columns}, data);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      if (upper ? c - r >= k : c - r <= k) data[r * columns + c] = std::byte{1};
  return {n.make(ops::where, {n.b.constant(std::move(mask)), n[0], n.b.scalar(n.b.dtype(n[0]), 0)})};
}

Values non_max_suppression(Site& n) {
  const int64_t most = n.has(2) ? n.integer(2, "max_output_boxes_per_class") : 0;
  const double score = n.has(4) ? n.number(4, "score_threshold") : -std::numeric_limits<double>::infinity();
  const double overlap = n.has(3) ? n.number(3, "iou_threshold") : 0;
  return {n.make(ops::non_max_suppression, {n[0], n[1]},
                 {{"max_per_class", most},
                  {"iou_threshold", overlap},
                  {"score_threshold", score},
                  {"center", n.integer("center_point_box")}})};
}

constexpr Operator rows[] = {
    {"CumSum", cumsum, "cumsum", 2, 2, "exclusive:i reverse:i"},
    {"Gather", gather, "gather slice reshape cast", 2, 2, "axis:i"},
    {"GatherElements", gather_elements, "gather_elements cast", 2, 2, "axis:i"},
    {"GatherND", gather_nd, "gather_nd cast", 2, 2, "batch_dims:i"},
    {"NonMaxSuppression", non_max_suppression, "non_max_suppression", 2, 5, "center_point_box:i"},
    {"OneHot", one_hot, "reshape cast where less add equal slice", 3, 3, "axis:i"},
    {"Scatter", scatter_elements, "scatter_elements cast", 3, 3, "axis:i"},
    {"ScatterElements", scatter_elements, "scatter_elements cast", 3, 3, "axis:i reduction:s"},
    {"ScatterND", scatter_nd, "scatter_nd cast", 3, 3, "reduction:s"},
    {"TopK", topk, "topk", 1, 2, "axis:i k:i largest:i sorted:i"},
    {"Trilu", trilu, "where", 1, 2, "upper:i"},
};

}  // namespace

std::span<const Operator> index_operators() { return rows; }

}  // namespace hadal::onnx
