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

/// Indices of the last axis of `index` as one number each: the position in the axes of `shape` from `batch` on, taken
/// as one; those before are the index's own first ones. Negative ones count from the end.
ValueId flat_index(Site& n, ValueId index, const Shape& shape, size_t batch) {
  const Shape found = n.b.shape(index);
  const auto depth = found.empty() ? 0 : found.back();
  if (depth < 1 || depth > static_cast<int64_t>(shape.size() - batch))
    fail("onnx.shape", "the last axis of the indices is {}, of {} axes to be looked up", depth, shape.size() - batch);
  const Shape tuples(found.begin(), found.end() - 1);
  index = n.b.cast(index, DType::i64);
  ValueId flat = absent;
  for (size_t d = 0; d < static_cast<size_t>(depth); ++d) {
    const int64_t extent = shape[batch + d];
    if (extent == 0 && elements(tuples) > 0) fail("onnx.shape", "axis {} is empty", batch + d);
    const ValueId stated = n.b.reshape(n.b.slice(index, std::ssize(found) - 1, static_cast<int64_t>(d), 1), tuples);
    const ValueId is_negative = n.make(ops::less, {stated, n.b.scalar(DType::i64, 0)});
    const ValueId from_end = n.make(ops::add, {stated, n.b.integer(extent)});
    const ValueId at = n.make(ops::where, {is_negative, from_end, stated});
    flat = flat == absent ? at : n.make(ops::add, {n.make(ops::mul, {flat, n.b.integer(extent)}), at});
  }
  for (size_t axis = batch; axis-- > 0;) {
    int64_t stride = 1;
    for (size_t inner = axis + 1; inner < batch + static_cast<size_t>(depth); ++inner) stride *= shape[inner];
    Integers starts;
    for (int64_t i = 0; i < shape[axis]; ++i) starts.push_back(i * stride);
    Shape along(tuples.size() - axis, 1);
    along[0] = shape[axis];
    flat = n.make(ops::add, {flat, n.b.reshape(n.b.constant(starts), along)});
  }
  return flat;
}

/// Rows of the first `count` axes as one.
ValueId joined(Site& n, ValueId x, size_t count) {
  const Shape shape = n.b.shape(x);
  const auto rest = shape.begin() + static_cast<std::ptrdiff_t>(count);
  Shape to{elements(Shape(shape.begin(), rest))};
  to.insert(to.end(), rest, shape.end());
  return n.b.reshape(x, to);
}

Values gather_nd(Site& n) {
  const Shape x = n.b.shape(n[0]), indices = n.b.shape(n[1]);
  const int64_t batch = n.integer("batch_dims"), least = std::min(std::ssize(x), std::ssize(indices));
  if (batch < 0 || batch >= least)
    fail("onnx.attribute", "batch_dims is {}, the ranks are {} and {}", batch, x.size(), indices.size());
  if (!std::equal(x.begin(), x.begin() + batch, indices.begin()))
    fail("onnx.shape", "the first {} axes of {} and {} differ", batch, text_of(x), text_of(indices));
  const auto first = static_cast<size_t>(batch);
  const ValueId rows = flat_index(n, n[1], x, first);
  const ValueId table = joined(n, n[0], first + static_cast<size_t>(indices.back()));
  return {n.make(ops::gather, {table, rows}, {{"axis", int64_t{0}}})};
}

std::string combine_of(const Site& n) {
  const std::string reduction = n.text("reduction", "none");
  return reduction == "none" ? "set" : reduction;
}

Values scatter_elements(Site& n) {
  if (elements(n.b.shape(n[2])) == 0) return {n[0]};
  const int64_t axis = Site::axis(n.integer("axis"), n.b.rank(n[0]));
  if (n.b.shape(n[1]) != n.b.shape(n[2]))
    fail("onnx.shape", "indices are {}, updates {}", text_of(n.b.shape(n[1])), text_of(n.b.shape(n[2])));
  return {n.make(ops::scatter, {n[0], as_indices(n, n[1]), n[2]}, {{"axis", axis}, {"combine", combine_of(n)}})};
}

/// The looked-up axes of x are one, and so are those of the updates that name them: each index serves a row.
Values scatter_nd(Site& n) {
  const Shape x = n.b.shape(n[0]), indices = n.b.shape(n[1]), updates = n.b.shape(n[2]);
  if (elements(updates) == 0) return {n[0]};
  const ValueId flat = flat_index(n, n[1], x, 0);
  Shape expected(indices.begin(), indices.end() - 1);
  expected.insert(expected.end(), x.begin() + indices.back(), x.end());
  if (updates != expected) fail("onnx.shape", "updates are {}, expected {}", text_of(updates), text_of(expected));
  const ValueId table = joined(n, n[0], static_cast<size_t>(indices.back()));
  Shape rows(n.b.shape(table).size(), 1);
  rows[0] = elements(n.b.shape(flat));
  const ValueId result = n.make(ops::scatter, {table, n.b.reshape(flat, rows), joined(n, n[2], indices.size() - 1)},
                                {{"axis", int64_t{0}}, {"combine", combine_of(n)}});
  return {n.b.reshape(result, x)};
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

/// Two corners of boxes that are given as (centre x, centre y, width, height).
ValueId corners(Site& n, ValueId boxes) {
  const ValueId centre = n.b.slice(boxes, 2, 0, 2), size = n.b.slice(boxes, 2, 2, 2);
  const ValueId half = n.make(ops::mul, {size, n.b.scalar(n.b.dtype(boxes), 0.5)});
  return n.make(ops::concat, {n.make(ops::sub, {centre, half}), n.make(ops::add, {centre, half})},
                {{"axis", int64_t{2}}});
}

/// Limits may be known when the model runs only: then all boxes may be kept.
Values non_max_suppression(Site& n) {
  const bool centred = n.integer("center_point_box") != 0;
  const auto limit = [&](size_t i, DType dtype, double otherwise) {
    return n.has(i) ? n[i] : n.b.scalar(dtype, otherwise);
  };
  const ValueId most = limit(2, DType::i64, 0);
  int64_t bound = std::numeric_limits<int64_t>::max();
  if (!n.has(2))
    bound = 0;
  else if (n.b.known(most))
    bound = n.integer(2, "max_output_boxes_per_class");
  const Shape& boxes = n.b.shape(n[0]);
  if (boxes.size() != 3 || boxes[2] != 4) fail("onnx.shape", "boxes are [batch, boxes, 4], found {}", text_of(boxes));
  const ValueId overlap = limit(3, DType::f32, 0), score = limit(4, DType::f32, -INFINITY);
  return {n.make(ops::non_max_suppression, {centred ? corners(n, n[0]) : n[0], n[1], most, overlap, score},
                 {{"most", bound}})};
}

constexpr Operator rows[] = {
    {"CumSum", cumsum, "cumsum", 2, 2, "exclusive:i reverse:i"},
    {"Gather", gather, "gather slice reshape cast", 2, 2, "axis:i"},
    {"GatherElements", gather_elements, "gather_elements cast", 2, 2, "axis:i"},
    {"GatherND", gather_nd, "gather reshape slice cast less add where mul", 2, 2, "batch_dims:i"},
    {"NonMaxSuppression", non_max_suppression, "non_max_suppression concat slice mul sub add", 2, 5,
     "center_point_box:i"},
    {"OneHot", one_hot, "reshape cast where less add equal slice", 3, 3, "axis:i"},
    {"Scatter", scatter_elements, "scatter cast", 3, 3, "axis:i"},
    {"ScatterElements", scatter_elements, "scatter cast", 3, 3, "axis:i reduction:s"},
    {"ScatterND", scatter_nd, "scatter reshape slice cast less add where mul", 3, 3, "reduction:s"},
    {"TopK", topk, "topk", 1, 2, "axis:i k:i largest:i sorted:i"},
    {"Trilu", trilu, "where", 1, 2, "upper:i"},
};

}  // namespace

std::span<const Operator> index_operators() { return rows; }

}  // namespace hadal::onnx
