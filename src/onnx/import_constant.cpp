// Operators whose results are known while importing: constants, ranges, shapes.
#include <algorithm>
#include <cmath>

#include "onnx/importer.h"

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

constexpr Operator rows[] = {
    {"Constant", constant, "", 0, 0, "value:t value_float:f value_floats:fs value_int:i value_ints:is"},
    {"ConstantOfShape", constant_of_shape, "", 1, 1, "value:t"},
    {"EyeLike", eye_like, "", 1, 1, "dtype:i k:i"},
    {"NonZero", non_zero, "", 1, 1, ""},
    {"Range", range, "", 3, 3, ""},
    {"Shape", shape, "", 1, 1, "start:i end:i"},
    {"Size", size, "", 1, 1, ""},
};

}  // namespace

std::span<const Operator> constant_operators() { return rows; }

}  // namespace hadal::onnx
