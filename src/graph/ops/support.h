// What the files of this folder share: checks for `infer`, strided views and rows of numbers for `reference`.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "graph/graph.h"
#include "graph/ops/scalar.h"

namespace hadal::graph {

using OperandTypes = std::vector<const Type*>;
using OperandTensors = std::vector<const Tensor*>;
using Integers = std::vector<int64_t>;

// ---- infer

template <class... Args>
Error rule(std::string_view code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{std::string(code), fmt::format(format, std::forward<Args>(args)...)};
}
/// Between `least` and `most` operands are there, the first `least` of them not absent. Error: "NAME.operands".
Status check_operands(std::string_view op, const OperandTypes& inputs, size_t least, size_t most);
/// 0 <= axis < rank. Error: "NAME.axis".
Status check_axis(std::string_view op, int64_t axis, size_t rank);
/// `list` has one entry for each of `count`. Error: "NAME.attribute".
Status check_count(std::string_view op, std::string_view name, const Integers& list, size_t count);
/// Axes in range and each once. Error: "NAME.axis".
Status check_axes(std::string_view op, const Integers& axes, size_t rank);
/// NumPy's rule. Error: `code`.
Result<Shape> broadcast_shapes(std::string_view code, const Shape& a, const Shape& b);

// ---- shapes

/// Row-major, in elements.
Integers strides_of(const Shape& shape);
/// Strides of an operand of `shape` read as `result` (aligned at the last axis): 0 where it is broadcast.
Integers broadcast_strides(const Shape& shape, const Shape& result);
/// Product of extents [first, last).
int64_t extent_of(const Shape& shape, size_t first, size_t last);
inline size_t index(int64_t i) { return static_cast<size_t>(i); }
inline int64_t rank_of(const Shape& shape) { return static_cast<int64_t>(shape.size()); }

/// Steps through a shape in row-major order, keeping one offset for each set of strides.
class Walk {
 public:
  Walk(Shape shape, std::vector<Integers> strides);
  [[nodiscard]] int64_t offset(size_t set) const { return offsets_[set]; }
  [[nodiscard]] const Integers& position() const { return position_; }
  void next();

 private:
  Shape shape_;
  std::vector<Integers> strides_;
  Integers position_, offsets_;
};

// ---- tensors

/// A tensor to fill, and its bytes.
struct Output {
  Tensor tensor;
  std::byte* data = nullptr;
  Output(DType dtype, Shape shape) { tensor = Tensor::zeros(dtype, std::move(shape), data); }
  explicit Output(const Type& type) : Output(type.dtype, type.shape) {}
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data);
  }
};

/// The elements of a view (offset and strides in elements; strides may be 0 or negative), made contiguous.
Tensor strided_copy(const Tensor& x, const Shape& shape, const Integers& strides, int64_t offset);
Tensor transposed(const Tensor& x, const Integers& order);
/// The same bytes as another shape.
Tensor reshaped(Tensor x, Shape shape);
/// The order that moves `axes` behind all others, which keep theirs.
Integers axes_last(const Integers& axes, size_t rank);
Integers inverse(const Integers& order);

/// An integer element without rounding.
Wide load_integer(DType dtype, const std::byte* at);
void store_integer(DType dtype, std::byte* at, Wide value);

/// n elements from element `start`, `step` apart. V is double or Wide.
template <class V>
void read_row(const Tensor& x, int64_t start, int64_t step, int64_t n, V* row);
template <class V>
void write_row(DType dtype, std::byte* data, int64_t start, int64_t n, const V* row);

/// Calls f(double{}) for floats and bool, f(Wide{}) for integers.
template <class F>
auto with_numbers(DType dtype, F f) {
  return hadal::is_float(dtype) || dtype == DType::boolean ? f(double{}) : f(Wide{});
}
/// x as f32, or as f64 if it is f64: what the contractions read.
Tensor as_wide_float(const Tensor& x);

/// Index i of an axis of `extent`: negative counts from the end, then clamped. 0 if the axis is empty.
inline int64_t resolve_index(int64_t i, int64_t extent) {
  return std::max<int64_t>(0, std::min(i < 0 ? i + extent : i, extent - 1));
}

}  // namespace hadal::graph
