#include "base/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace hadal {

int64_t elements(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

int64_t checked_bytes(const Shape& shape, int64_t bytes) {
  constexpr int64_t largest = int64_t{1} << 62;
  int64_t n = bytes;
  for (const int64_t extent : shape) {
    if (extent < 0) return -1;
    if (extent == 0) return 0;
    if (n > largest / extent) return -1;
    n *= extent;
  }
  return n;
}

std::string text_of(const Shape& shape) { return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x")); }

Tensor Tensor::zeros(DType dtype, Shape shape, std::byte*& data) {
  const auto size = static_cast<size_t>(elements(shape)) * static_cast<size_t>(bytes_of(dtype));
  std::shared_ptr<std::byte> owner(static_cast<std::byte*>(std::calloc(std::max<size_t>(size, 1), 1)), std::free);
  if (!owner) throw std::bad_alloc();
  data = owner.get();
  return Tensor{dtype, std::move(shape), {owner, {data, size}}};
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
/// Rounded to nearest even, then clamped to T; NaN becomes 0.
template <class T>
T saturated(double value) {
  if (std::isnan(value)) return 0;
  const double rounded = std::nearbyint(value);
  if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (rounded >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(rounded);
}

}  // namespace

double load_number(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::f32:
      return static_cast<double>(read<float>(at));
    case DType::f64:
      return read<double>(at);
    case DType::f16:
      return static_cast<double>(from_f16(read<uint16_t>(at)));
    case DType::bf16:
      return static_cast<double>(from_bf16(read<uint16_t>(at)));
    case DType::f8e4m3:
      return static_cast<double>(from_f8e4m3(read<uint8_t>(at)));
    case DType::f8e5m2:
      return static_cast<double>(from_f8e5m2(read<uint8_t>(at)));
    case DType::f8e4m3fnuz:
      return static_cast<double>(from_f8e4m3fnuz(read<uint8_t>(at)));
    case DType::f8e5m2fnuz:
      return static_cast<double>(from_f8e5m2fnuz(read<uint8_t>(at)));
    case DType::f8e8m0:
      return static_cast<double>(from_f8e8m0(read<uint8_t>(at)));
    case DType::f4e2m1:
      return static_cast<double>(from_f4e2m1(read<uint8_t>(at)));
    case DType::i8:
    case DType::i4:
    case DType::i2:
      return read<int8_t>(at);
    case DType::u8:
    case DType::u4:
    case DType::u2:
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
      return static_cast<double>(read<int64_t>(at));
    case DType::u64:
      return static_cast<double>(read<uint64_t>(at));
    case DType::boolean:
      return read<uint8_t>(at) != 0 ? 1 : 0;
  }
  return 0;
}

void store_number(DType dtype, std::byte* at, double value) {
  switch (dtype) {
    case DType::f32:
      return write(at, static_cast<float>(value));
    case DType::f64:
      return write(at, value);
    case DType::f16:
      return write(at, to_f16(static_cast<float>(value)));
    case DType::bf16:
      return write(at, to_bf16(static_cast<float>(value)));
    case DType::f8e4m3:
      return write(at, to_f8e4m3(static_cast<float>(value)));
    case DType::f8e5m2:
      return write(at, to_f8e5m2(static_cast<float>(value)));
    case DType::f8e4m3fnuz:
      return write(at, to_f8e4m3fnuz(static_cast<float>(value)));
    case DType::f8e5m2fnuz:
      return write(at, to_f8e5m2fnuz(static_cast<float>(value)));
    case DType::f8e8m0:
      return write(at, to_f8e8m0(static_cast<float>(value)));
    case DType::f4e2m1:
      return write(at, to_f4e2m1(static_cast<float>(value)));
    case DType::i4:
    case DType::u4:
    case DType::i2:
    case DType::u2:
      return write(
          at, static_cast<uint8_t>(std::clamp<int64_t>(saturated<int8_t>(value), least_of(dtype), most_of(dtype))));
    case DType::i8:
      return write(at, saturated<int8_t>(value));
    case DType::u8:
      return write(at, saturated<uint8_t>(value));
    case DType::i16:
      return write(at, saturated<int16_t>(value));
    case DType::u16:
      return write(at, saturated<uint16_t>(value));
    case DType::i32:
      return write(at, saturated<int32_t>(value));
    case DType::u32:
      return write(at, saturated<uint32_t>(value));
    case DType::i64:
      return write(at, saturated<int64_t>(value));
    case DType::u64:
      return write(at, saturated<uint64_t>(value));
    case DType::boolean:
      return write(at, static_cast<uint8_t>(value != 0));
  }
}

double number_at(const Tensor& tensor, int64_t i) {
  return load_number(tensor.dtype, tensor.bytes.view.data() + i * bytes_of(tensor.dtype));
}

int64_t integer_at(const Tensor& tensor, int64_t i) {
  if (tensor.dtype == DType::i64) return read<int64_t>(tensor.bytes.view.data() + i * 8);
  return static_cast<int64_t>(number_at(tensor, i));
}

std::string text_of(const Tensor& tensor, int64_t most) {
  std::vector<std::string> items;
  for (int64_t i = 0; i < std::min(most, tensor.size()); ++i)
    items.push_back(is_float(tensor.dtype) ? fmt::format("{}", number_at(tensor, i))
                                           : fmt::format("{}", integer_at(tensor, i)));
  if (tensor.size() > most) items.emplace_back("…");
  return tensor.shape.empty() ? items[0] : fmt::format("[{}]", fmt::join(items, ", "));
}

Tensor first_of(const Tensor& tensor, size_t axis, int64_t extent) {
  Shape shape = tensor.shape;
  shape[axis] = extent;
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(tensor.dtype, shape, data);
  if (out.size() == 0) return out;
  const auto outer = static_cast<std::ptrdiff_t>(axis);
  const int64_t rows = elements(Shape(shape.begin(), shape.begin() + outer));
  const auto to = out.bytes.view.size() / static_cast<size_t>(rows);
  const auto from = tensor.bytes.view.size() / static_cast<size_t>(rows);
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row)
    std::memcpy(data + row * to, tensor.bytes.view.data() + row * from, to);
  return out;
}

Tensor cast(const Tensor& tensor, DType dtype) {
  if (tensor.dtype == dtype) return tensor;
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, tensor.shape, data);
  const int64_t n = tensor.size();
  const auto* from = tensor.bytes.view.data();
  if (tensor.dtype == DType::f32 && dtype == DType::bf16) {
    for (int64_t i = 0; i < n; ++i) write(data + 2 * i, to_bf16(read<float>(from + 4 * i)));
    return out;
  }
  const int step = bytes_of(tensor.dtype);
  for (int64_t i = 0; i < n; ++i) {
    double value = load_number(tensor.dtype, from + i * step);
    if (is_float(tensor.dtype) && !is_float(dtype) && dtype != DType::boolean) value = std::trunc(value);
    store_number(dtype, data + i * bytes_of(dtype), value);
  }
  return out;
}

}  // namespace hadal
