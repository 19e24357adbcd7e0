// Element types of tensors, and conversions of the small floats.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hadal {

/// Element types. The numbers are part of the program file format: append only.
/// Those of less than 8 bits take a byte each.
enum class DType : uint8_t {
  f32,
  f64,
  f16,
  bf16,
  f8e4m3,
  f8e5m2,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  boolean,
  f8e4m3fnuz,
  f8e5m2fnuz,
  f8e8m0,
  f4e2m1,
  i4,
  u4,
  i2,
  u2
};
inline constexpr int dtype_count = 23;

struct DTypeInfo {
  std::string_view name;  ///< "f32", "bf16", "i8", "bool" …
  int bytes;              ///< Bytes an element.
  bool is_float, is_signed;
  int bits = 8 * bytes;  ///< That count.
};
const DTypeInfo& info(DType type);
/// Smallest and largest value of an integer type of at most 32 bits.
inline int64_t least_of(DType type) { return info(type).is_signed ? -(int64_t{1} << (info(type).bits - 1)) : 0; }
inline int64_t most_of(DType type) { return (int64_t{1} << (info(type).bits - (info(type).is_signed ? 1 : 0))) - 1; }
inline int bytes_of(DType type) { return info(type).bytes; }
inline bool is_float(DType type) { return info(type).is_float; }
inline std::string_view name_of(DType type) { return info(type).name; }
std::optional<DType> dtype_named(std::string_view name);

/// bf16 is the upper half of an f32; rounding is to nearest, ties to even; a NaN stays a (quiet) NaN.
inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
inline uint16_t to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
/// IEEE binary16 (same rounding), OCP f8e4m3fn (saturating, no infinity) and f8e5m2.
float from_f16(uint16_t bits);
uint16_t to_f16(float value);
float from_f8e4m3(uint8_t bits);
uint8_t to_f8e4m3(float value);
float from_f8e5m2(uint8_t bits);
uint8_t to_f8e5m2(float value);
/// Without negative zero and infinity, NaN is the sign alone; saturating.
float from_f8e4m3fnuz(uint8_t bits);
uint8_t to_f8e4m3fnuz(float value);
float from_f8e5m2fnuz(uint8_t bits);
uint8_t to_f8e5m2fnuz(float value);
/// OCP MX: powers of two from 2^-127 up to 2^127, rounded up; and e2m1, saturating, which has no NaN: it becomes zero,
/// as in NumPy's ml_dtypes.
float from_f8e8m0(uint8_t bits);
uint8_t to_f8e8m0(float value);
float from_f4e2m1(uint8_t bits);
uint8_t to_f4e2m1(float value);

}  // namespace hadal
