#include "machine/functional/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace hadal::machine {

namespace {

template <class T>
void put_clamped(std::byte* at, int64_t value) {
  const auto clamped =
      static_cast<T>(std::clamp<int64_t>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  std::memcpy(at, &clamped, sizeof clamped);
}

int64_t saturated(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (value <= -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

}  // namespace

Compute compute_of(DType dtype) {
  if (dtype == DType::f64) return Compute::f64;
  return is_float(dtype) ? Compute::f32 : Compute::i64;
}

bool fits_f32(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i32:
    case DType::u32:
    case DType::i64:
    case DType::u64:
      return false;
    default:
      return true;
  }
}

template <>
double get<double>(DType dtype, const std::byte* at) {
  return load_number(dtype, at);
}

template <>
int64_t get<int64_t>(DType dtype, const std::byte* at) {
  if (dtype == DType::i64 || dtype == DType::u64) {
    int64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  return saturated(load_number(dtype, at));
}

template <>
float get<float>(DType dtype, const std::byte* at) {
  if (dtype == DType::i64) return static_cast<float>(get<int64_t>(dtype, at));  // one rounding, not two
  return static_cast<float>(load_number(dtype, at));
}

template <>
void put<double>(DType dtype, std::byte* at, double value) {
  store_number(dtype, at, value);
}

template <>
void put<float>(DType dtype, std::byte* at, float value) {
  store_number(dtype, at, static_cast<double>(value));
}

template <>
void put<int64_t>(DType dtype, std::byte* at, int64_t value) {
  switch (dtype) {
    case DType::i4:
    case DType::u4:
    case DType::i2:
    case DType::u2:
      return put_clamped<int8_t>(at, std::clamp(value, least_of(dtype), most_of(dtype)));
    case DType::i8:
      return put_clamped<int8_t>(at, value);
    case DType::u8:
      return put_clamped<uint8_t>(at, value);
    case DType::i16:
      return put_clamped<int16_t>(at, value);
    case DType::u16:
      return put_clamped<uint16_t>(at, value);
    case DType::i32:
      return put_clamped<int32_t>(at, value);
    case DType::u32:
      return put_clamped<uint32_t>(at, value);
    case DType::i64:
    case DType::u64:
      std::memcpy(at, &value, sizeof value);
      return;
    case DType::boolean:
      *at = value != 0 ? std::byte{1} : std::byte{0};
      return;
    case DType::f32:
      return store_number(dtype, at, static_cast<double>(static_cast<float>(value)));
    default:
      return store_number(dtype, at, static_cast<double>(value));
  }
}

}  // namespace hadal::machine
