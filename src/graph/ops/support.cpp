#include "graph/ops/support.h"

#include <numeric>

namespace hadal::graph {

Status check_operands(std::string_view op, const OperandTypes& inputs, size_t least, size_t most) {
  bool given = inputs.size() >= least && inputs.size() <= most;
  for (size_t i = 0; given && i < least; ++i) given = inputs[i] != nullptr;
  if (given) return {};
  if (least == most)
    return rule(fmt::format("{}.operands", op), "{} takes {} operands, found {}", op, least, inputs.size());
  return rule(fmt::format("{}.operands", op), "{} takes {} to {} operands, found {}", op, least, most, inputs.size());
}

Status check_axis(std::string_view op, int64_t axis, size_t rank) {
  if (axis >= 0 && index(axis) < rank) return {};
  return rule(fmt::format("{}.axis", op), "axis {} is not below the rank, {}", axis, rank);
}

Status check_count(std::string_view op, std::string_view name, const Integers& list, size_t count) {
  if (list.size() == count) return {};
  return rule(fmt::format("{}.attribute", op), "{} needs {} entries, found {}", name, count, list.size());
}

Status check_axes(std::string_view op, const Integers& axes, size_t rank) {
  std::vector<bool> seen(rank);
  for (const int64_t axis : axes) {
    HADAL_CHECK(check_axis(op, axis, rank));
    if (seen[index(axis)]) return rule(fmt::format("{}.axis", op), "axis {} is given twice", axis);
    seen[index(axis)] = true;
  }
  return {};
}

Result<Shape> broadcast_shapes(std::string_view code, const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t p = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t q = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (p != q && p != 1 && q != 1)
      return rule(code, "{} and {} do not broadcast", hadal::text_of(a), hadal::text_of(b));
    out[out.size() - 1 - i] = p == 1 ? q : p;
  }
  return out;
}

Integers strides_of(const Shape& shape) {
  Integers strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Integers broadcast_strides(const Shape& shape, const Shape& result) {
  const Integers own = strides_of(shape);
  Integers strides(result.size(), 0);
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) strides[result.size() - shape.size() + i] = own[i];
  return strides;
}

int64_t extent_of(const Shape& shape, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t i = first; i < last; ++i) n *= shape[i];
  return n;
}

Walk::Walk(Shape shape, std::vector<Integers> strides)
    : shape_(std::move(shape)),
      strides_(std::move(strides)),
      position_(shape_.size(), 0),
      offsets_(strides_.size(), 0) {}

void Walk::next() {
  for (size_t axis = shape_.size(); axis-- > 0;) {
    const bool carry = ++position_[axis] == shape_[axis];
    for (size_t set = 0; set < offsets_.size(); ++set) {
      offsets_[set] += strides_[set][axis];
      if (carry) offsets_[set] -= strides_[set][axis] * shape_[axis];
    }
    if (!carry) return;
    position_[axis] = 0;
  }
}

namespace {

template <class T>
void copy_row(const std::byte* from, int64_t stride, int64_t n, std::byte* to) {
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(to + i * int64_t{sizeof(T)}, from + i * stride * int64_t{sizeof(T)}, sizeof(T));
}

void copy_row(int width, const std::byte* from, int64_t stride, int64_t n, std::byte* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n * width));
    return;
  }
  if (width == 1) return copy_row<uint8_t>(from, stride, n, to);
  if (width == 2) return copy_row<uint16_t>(from, stride, n, to);
  if (width == 4) return copy_row<uint32_t>(from, stride, n, to);
  copy_row<uint64_t>(from, stride, n, to);
}

}  // namespace

Tensor strided_copy(const Tensor& x, const Shape& shape, const Integers& strides, int64_t offset) {
  Output out(x.dtype, shape);
  const int64_t total = elements(shape);
  if (total == 0) return out.tensor;
  const int width = bytes_of(x.dtype);
  const int64_t n = shape.empty() ? 1 : shape.back();
  const int64_t stride = shape.empty() ? 1 : strides.back();
  Walk walk(shape.empty() ? Shape{} : Shape(shape.begin(), shape.end() - 1),
            {shape.empty() ? Integers{} : Integers(strides.begin(), strides.end() - 1)});
  const std::byte* from = x.bytes.view.data() + offset * width;
  for (int64_t row = 0; row < total / n; ++row, walk.next())
    copy_row(width, from + walk.offset(0) * width, stride, n, out.data + row * n * width);
  return out.tensor;
}

Tensor transposed(const Tensor& x, const Integers& order) {
  const Integers own = strides_of(x.shape);
  Shape shape;
  Integers strides;
  for (const int64_t axis : order) {
    shape.push_back(x.shape[index(axis)]);
    strides.push_back(own[index(axis)]);
  }
  if (std::is_sorted(order.begin(), order.end())) return x;
  return strided_copy(x, shape, strides, 0);
}

Tensor reshaped(Tensor x, Shape shape) {
  x.shape = std::move(shape);
  return x;
}

Integers axes_last(const Integers& axes, size_t rank) {
  Integers order;
  for (size_t i = 0; i < rank; ++i)
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end())
      order.push_back(static_cast<int64_t>(i));
  order.insert(order.end(), axes.begin(), axes.end());
  return order;
}

Integers inverse(const Integers& order) {
  Integers out(order.size());
  for (size_t i = 0; i < order.size(); ++i) out[index(order[i])] = static_cast<int64_t>(i);
  return out;
}

namespace {

template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void write(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace

Wide load_integer(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::i8:
      return read<int8_t>(at);
    case DType::u8:
      return read<uint8_t>(at);
    case DType::i16:
      return read<int16_t>(at);
    case DType::u16:
      return read<uint16_t>(at);
    case DType::i32:
      return read<int32_t>(at);
    case DType::u32:
      return read<uint32_t>(at);
    case DType::i64:
      return read<int64_t>(at);
    case DType::u64:
      return read<uint64_t>(at);
    case DType::boolean:
      return read<uint8_t>(at) != 0;
    default:
      return static_cast<Wide>(load_number(dtype, at));
  }
}

void store_integer(DType dtype, std::byte* at, Wide value) {
  switch (dtype) {
    case DType::i8:
      return write(at, static_cast<int8_t>(value));
    case DType::u8:
      return write(at, static_cast<uint8_t>(value));
    case DType::i16:
      return write(at, static_cast<int16_t>(value));
    case DType::u16:
      return write(at, static_cast<uint16_t>(value));
    case DType::i32:
      return write(at, static_cast<int32_t>(value));
    case DType::u32:
      return write(at, static_cast<uint32_t>(value));
    case DType::i64:
      return write(at, static_cast<int64_t>(value));
    case DType::u64:
      return write(at, static_cast<uint64_t>(value));
    case DType::boolean:
      return write(at, static_cast<uint8_t>(value != 0));
    case DType::i4:
    case DType::u4:
    case DType::i2:
    case DType::u2: {
      const Wide range = Wide{1} << info(dtype).bits;
      const Wide wrapped = ((value - least_of(dtype)) % range + range) % range + least_of(dtype);
      return write(at, static_cast<uint8_t>(wrapped));
    }
    default:
      return store_number(dtype, at, static_cast<double>(value));
  }
}

template <class V>
void read_row(const Tensor& x, int64_t start, int64_t step, int64_t n, V* row) {
  const int width = bytes_of(x.dtype);
  const std::byte* at = x.bytes.view.data() + start * width;
  if constexpr (std::is_same_v<V, double>) {
    if (x.dtype == DType::f32) {
      for (int64_t i = 0; i < n; ++i) row[i] = static_cast<double>(read<float>(at + i * step * 4));
      return;
    }
    for (int64_t i = 0; i < n; ++i) row[i] = load_number(x.dtype, at + i * step * width);
  } else {
    for (int64_t i = 0; i < n; ++i) row[i] = load_integer(x.dtype, at + i * step * width);
  }
}

template <class V>
void write_row(DType dtype, std::byte* data, int64_t start, int64_t n, const V* row) {
  const int width = bytes_of(dtype);
  std::byte* at = data + start * width;
  if constexpr (std::is_same_v<V, double>) {
    if (dtype == DType::f32) {
      for (int64_t i = 0; i < n; ++i) write(at + i * 4, static_cast<float>(row[i]));
      return;
    }
    for (int64_t i = 0; i < n; ++i) store_number(dtype, at + i * width, row[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) store_integer(dtype, at + i * width, row[i]);
  }
}

template void read_row(const Tensor&, int64_t, int64_t, int64_t, double*);
template void read_row(const Tensor&, int64_t, int64_t, int64_t, Wide*);
template void write_row(DType, std::byte*, int64_t, int64_t, const double*);
template void write_row(DType, std::byte*, int64_t, int64_t, const Wide*);

Tensor as_wide_float(const Tensor& x) { return x.dtype == DType::f64 ? x : cast(x, DType::f32); }

}  // namespace hadal::graph
