// Operators whose results are known while importing: constants, ranges, shapes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

Values constant(Site& n) {
  if (n.has("value")) return {n.b.constant(n.attribute("value").tensor)};
  if (n.has("value_float")) return {n.b.scalar(DType::f32, n.number("value_float"))};
  if (n.has("value_int")) return {n.b.constant(Tensor::of(DType::i64, {}, Integers{n.integer("value_int")}))};
  if (n.has("value_ints")) return {n.b.constant(n.integers("value_ints"))};
  if (n.has("value_floats")) {
    const auto& numbers = n.attribute("value_floats").numbers;
    const Tensor wide = Tensor::of(DType::f64, {static_cast<int64_t>(numbers.size())}, numbers);
    return {n.b.constant(hadal::cast(wide, DType::f32))};
  }
  fail("onnx.attribute", "Constant has no value (strings and sparse tensors are not supported)");
}

/// A filled tensor.
Values constant_of_shape(Site& n) {
  const Shape shape = n.integers(0, "shape");
  if (!n.has("value")) return {n.b.constant(n.b.filled(DType::f32, shape, 0))};
  const Tensor& value = n.attribute("value").tensor;
  if (value.size() != 1) fail("onnx.attribute", "value has {} elements, expected one", value.size());
  return {n.b.constant(n.b.filled(value.dtype, shape, number_at(value, 0)))};
}

Values eye_like(Site& n) {
  const Shape shape = n.b.shape(n[0]);
  if (shape.size() != 2) fail("onnx.shape", "EyeLike of {} axes", shape.size());
  const auto dtype = n.has("dtype") ? dtype_of(static_cast<int>(n.integer("dtype"))) : n.b.dtype(n[0]);
  if (!dtype) fail("onnx.dtype", "{} is not supported", onnx_type_name(static_cast<int>(n.integer("dtype"))));
  const int64_t k = n.integer("k");
  n.b.check_size({*dtype, shape});
  n.b.book(checked_bytes(shape, bytes_of(*dtype)));
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(*dtype, shape, data);
  if (k > -shape[0] && k < shape[1])
    for (int64_t row = std::max<int64_t>(0, -k); row < shape[0] && row + k < shape[1]; ++row)
      store_number(*dtype, data + (row * shape[1] + row + k) * bytes_of(*dtype), 1);
  return {n.b.constant(std::move(out))};
}

Values range(Site& n) {
  const DType dtype = n.tensor(0, "start").dtype;
  const double start = n.number(0, "start"), limit = n.number(1, "limit"), delta = n.number(2, "delta");
  if (delta == 0 || !std::isfinite(delta)) fail("onnx.shape", "the range's step is {}", delta);
  const double count = std::max(0.0, std::ceil((limit - start) / delta));
  if (!(count < 0x1p40)) fail("onnx.memory", "the range has {} elements", count);
  const auto length = static_cast<int64_t>(count);
  n.b.check_size({dtype, {length}});
  n.b.book(length * bytes_of(dtype));
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, {length}, data);
  for (int64_t i = 0; i < length; ++i)
    store_number(dtype, data + i * bytes_of(dtype), start + static_cast<double>(i) * delta);
  return {n.b.constant(std::move(out))};
}

Values shape(Site& n) {
  const Shape& x = n.b.shape(n[0]);
  const int64_t rank = n.b.rank(n[0]);
  const auto bound = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t first = bound(n.integer("start")), last = bound(n.integer("end", rank));
  return {n.b.constant(first < last ? Integers(x.begin() + first, x.begin() + last) : Integers{})};
}

Values size(Site& n) { return {n.b.constant(Tensor::of(DType::i64, {}, Integers{elements(n.b.shape(n[0]))}))}; }

/// Positions that are not zero, one column each; only of constants, as the number is part of the shape.
Values non_zero(Site& n) {
  const Tensor& x = n.tensor(0, "X");
  const auto rank = std::max<size_t>(x.shape.size(), 1);
  std::vector<Integers> rows(rank);
  for (int64_t i = 0; i < x.size(); ++i) {
    if (number_at(x, i) == 0) continue;
    int64_t rest = i;
    for (size_t axis = rank; axis-- > 0;) {
      const int64_t extent = x.shape.empty() ? 1 : x.shape[axis];
      rows[axis].push_back(rest % extent);
      rest /= extent;
    }
  }
  Integers all;
  for (const Integers& row : rows) all.insert(all.end(), row.begin(), row.end());
  n.b.book(static_cast<int64_t>(all.size()) * 8);
  return {
      n.b.constant(Tensor::of(DType::i64, {static_cast<int64_t>(rank), static_cast<int64_t>(rows[0].size())}, all))};
}

/// Below 0 where element i is before element k, 0 where they are equal; what is no number is last, and equal to its
/// like.
int order_of(const Tensor& x, int64_t i, int64_t k) {
  const auto compared = [](auto a, auto b) { return a < b ? -1 : b < a ? 1 : 0; };
  if (is_float(x.dtype)) {
    const double a = number_at(x, i), b = number_at(x, k);
    return std::isnan(a) || std::isnan(b) ? compared(std::isnan(a), std::isnan(b)) : compared(a, b);
  }
  const int64_t a = integer_at(x, i), b = integer_at(x, k);
  return x.dtype == DType::u64 ? compared(static_cast<uint64_t>(a), static_cast<uint64_t>(b)) : compared(a, b);
}

/// The same of slices along the first axis, by their first elements that differ.
int order_of_slices(const Tensor& x, int64_t i, int64_t k) {
  const int64_t size = x.size() / x.shape[0];
  int order = 0;
  for (int64_t e = 0; e < size && order == 0; ++e) order = order_of(x, i * size + e, k * size + e);
  return order;
}

Integers counted(int64_t count) {
  Integers out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), int64_t{0});
  return out;
}

struct Groups {
  Integers first;    ///< The first slice of each group of equal ones.
  Integers group;    ///< Of each slice.
  Integers members;  ///< Of each group.
};

/// Of equal slices along the first axis, in ascending order.
Groups groups_of(const Tensor& x) {
  Integers slices = counted(x.shape[0]);
  std::ranges::stable_sort(slices, [&](int64_t i, int64_t k) { return order_of_slices(x, i, k) < 0; });
  Groups out{{}, Integers(slices.size()), {}};
  for (const int64_t i : slices) {
    if (out.first.empty() || order_of_slices(x, out.first.back(), i) != 0) {
      out.first.push_back(i);
      out.members.push_back(0);
    }
    out.group[static_cast<size_t>(i)] = std::ssize(out.first) - 1;
    ++out.members.back();
  }
  return out;
}

/// The same groups in the order of their first slices.
Groups as_found(const Groups& sorted) {
  Integers order = counted(std::ssize(sorted.first)), place(order.size());
  std::ranges::sort(order, {}, [&](int64_t group) { return sorted.first[static_cast<size_t>(group)]; });
  Groups out{{}, sorted.group, {}};
  for (const int64_t group : order) {
    place[static_cast<size_t>(group)] = std::ssize(out.first);
    out.first.push_back(sorted.first[static_cast<size_t>(group)]);
    out.members.push_back(sorted.members[static_cast<size_t>(group)]);
  }
  for (int64_t& group : out.group) group = place[static_cast<size_t>(group)];
  return out;
}

/// Only of constants, as their number is part of the shape. Results: elements or slices, each once; where the first of
/// each stands; which of them each is; how many of each there are.
Values unique(Site& n) {
  const int64_t size = n.tensor(0, "X").size();
  const Term given = input(n, 0);
  const auto rank = std::ssize(given.shape());
  const bool whole = !n.has("axis");
  Integers order{whole ? 0 : Site::axis(n.integer("axis"), rank)};
  for (int64_t axis = 0; axis < rank && !whole; ++axis)
    if (axis != order[0]) order.push_back(axis);
  const Term x = whole ? given.reshaped({size}) : given.transposed(order);
  Groups groups = groups_of(*n.b.known(x.id));
  if (n.integer("sorted", 1) == 0) groups = as_found(groups);
  Integers back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  const ValueId first = n.b.constant(groups.first);
  return {x.gathered({&n.b, first}, 0).transposed(back).id, first, n.b.constant(groups.group),
          n.b.constant(groups.members)};
}

constexpr Operator rows[] = {
    {"Constant", constant, "", 0, 0, "value:t value_float:f value_floats:fs value_int:i value_ints:is"},
    {"ConstantOfShape", constant_of_shape, "", 1, 1, "value:t"},
    {"EyeLike", eye_like, "", 1, 1, "dtype:i k:i"},
    {"NonZero", non_zero, "", 1, 1, ""},
    {"Range", range, "", 3, 3, ""},
    {"Shape", shape, "", 1, 1, "start:i end:i"},
    {"Size", size, "", 1, 1, ""},
    {"Unique", unique, "", 1, 1, "axis:i sorted:i"},
};

}  // namespace

std::span<const Operator> constant_operators() { return rows; }

}  // namespace hadal::onnx
