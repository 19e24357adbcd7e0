// A dense tensor in host memory, row-major, sharing its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace hadal {

using Shape = std::vector<int64_t>;

/// Product of the extents; 1 for a scalar. The caller has bounded it (see checked_elements).
int64_t elements(const Shape& shape);
/// Product of the extents times `bytes`, or -1 where an extent is negative or the product passes 2^62.
int64_t checked_bytes(const Shape& shape, int64_t bytes);
/// "1x3x224x224", or "scalar".
std::string text_of(const Shape& shape);

/// Bytes owned elsewhere or here (a mapped file, a vector), kept alive by `owner`.
struct Bytes {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> view;
};

/// Type, shape and bytes. Copies share the bytes, which are never written once shared.
struct Tensor {
  DType dtype = DType::f32;
  Shape shape;
  Bytes bytes;

  /// A tensor of zeros; `data` points to its writable bytes until it is shared.
  static Tensor zeros(DType dtype, Shape shape, std::byte*& data);

  template <class T>
  static Tensor of(DType dtype, Shape shape, const std::vector<T>& values);

  [[nodiscard]] int64_t size() const { return elements(shape); }
  template <class T>
  [[nodiscard]] std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes.view.data()), bytes.view.size() / sizeof(T)};
  }
};

/// Element i as a double (floats, integers, bool), or as an integer (floats are truncated).
double number_at(const Tensor& tensor, int64_t i);
int64_t integer_at(const Tensor& tensor, int64_t i);
/// Reads or writes one element of type `dtype` at `at`, with rounding to nearest even and saturation of integers.
double load_number(DType dtype, const std::byte* at);
void store_number(DType dtype, std::byte* at, double value);
/// "[2, 3, …]": the first `most` elements in row-major order; of a scalar, "2".
std::string text_of(const Tensor& tensor, int64_t most);
/// The same values in another type.
Tensor cast(const Tensor& tensor, DType dtype);
/// The first `extent` elements along an axis.
Tensor first_of(const Tensor& tensor, size_t axis, int64_t extent);

template <class T>
Tensor Tensor::of(DType dtype, Shape shape, const std::vector<T>& values) {
  auto owned = std::make_shared<std::vector<T>>(values);
  Tensor out{dtype, std::move(shape), {owned, std::as_bytes(std::span<const T>(*owned))}};
  return out;
}

}  // namespace hadal
