#include "base/dtype.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hadal {

namespace {

constexpr std::array<DTypeInfo, dtype_count> infos{{
    {"f32", 4, true, true},        {"f64", 8, true, true},        {"f16", 2, true, true},
    {"bf16", 2, true, true},       {"f8e4m3", 1, true, true},     {"f8e5m2", 1, true, true},
    {"i8", 1, false, true},        {"u8", 1, false, false},       {"i16", 2, false, true},
    {"u16", 2, false, false},      {"i32", 4, false, true},       {"u32", 4, false, false},
    {"i64", 8, false, true},       {"u64", 8, false, false},      {"bool", 1, false, false},
    {"f8e4m3fnuz", 1, true, true}, {"f8e5m2fnuz", 1, true, true}, {"f8e8m0", 1, true, false},
    {"f4e2m1", 1, true, true, 4},  {"i4", 1, false, true, 4},     {"u4", 1, false, false, 4},
    {"i2", 1, false, true, 2},     {"u2", 1, false, false, 2},
}};

/// A small float with `mantissa` bits, exponent bias `bias` and largest finite value `largest`.
struct SmallFloat {
  int mantissa, bias, exponent_bits;
  float largest;
  bool has_infinity;
};
constexpr SmallFloat f16{10, 15, 5, 65504.0f, true};
constexpr SmallFloat e4m3{3, 7, 4, 448.0f, false};
constexpr SmallFloat e5m2{2, 15, 5, 57344.0f, true};

float decode(uint32_t bits, const SmallFloat& format) {
  const int width = 1 + format.exponent_bits + format.mantissa;
  const bool negative = (bits >> (width - 1)) & 1u;
  const uint32_t top = (1u << format.exponent_bits) - 1;
  const uint32_t exponent = (bits >> format.mantissa) & top;
  const uint32_t mantissa = bits & ((1u << format.mantissa) - 1);
  float value = 0;
  if (exponent == top && format.has_infinity)
    value = mantissa ? NAN : INFINITY;
  else if (!format.has_infinity && exponent == top && mantissa == (1u << format.mantissa) - 1)
    value = NAN;
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(mantissa), 1 - format.bias - format.mantissa);
  else
    value = std::ldexp(static_cast<float>(mantissa | (1u << format.mantissa)),
                       static_cast<int>(exponent) - format.bias - format.mantissa);
  return negative ? -value : value;
}

uint32_t encode(float value, const SmallFloat& format) {
  const int width = 1 + format.exponent_bits + format.mantissa;
  const uint32_t sign = std::signbit(value) ? 1u << (width - 1) : 0;
  const uint32_t top = ((1u << format.exponent_bits) - 1) << format.mantissa;
  if (std::isnan(value))
    return sign | top | (format.has_infinity ? 1u << (format.mantissa - 1) : (1u << format.mantissa) - 1);
  const float magnitude = std::fabs(value);
  int exponent = 0;
  if (magnitude == 0) return sign;
  if (std::isinf(magnitude)) return format.has_infinity ? sign | top : sign | (top + (1u << format.mantissa) - 2);
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
  const int quantum = std::max(exponent - 1, 1 - format.bias) - format.mantissa;
  const float rounded = std::nearbyint(std::ldexp(magnitude, -quantum));  // to even, by the default rounding mode
  if (std::ldexp(rounded, quantum) > format.largest)
    return format.has_infinity ? sign | top : sign | (top + (1u << format.mantissa) - 2);
  // `rounded` holds mantissa and implicit one; a carry into the exponent is what the addition does.
  const auto steps = static_cast<uint32_t>(rounded);
  return sign | (steps + (static_cast<uint32_t>(quantum + format.mantissa + format.bias - 1) << format.mantissa));
}

}  // namespace

const DTypeInfo& info(DType type) { return infos[static_cast<size_t>(type)]; }

std::optional<DType> dtype_named(std::string_view name) {
  for (size_t i = 0; i < infos.size(); ++i)
    if (infos[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

namespace {

/// The FNUZ types: all exponents are of numbers, and what would be -0 is NaN.
float decode_fnuz(uint8_t bits, int mantissa, int bias) {
  if (bits == 0x80) return NAN;
  const int exponent = (bits & 0x7f) >> mantissa, fraction = bits & ((1 << mantissa) - 1);
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa)
                              : std::ldexp(static_cast<float>(fraction | 1 << mantissa), exponent - bias - mantissa);
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

uint8_t encode_fnuz(float value, int mantissa, int bias) {
  if (std::isnan(value)) return 0x80;
  const float largest = decode_fnuz(0x7f, mantissa, bias), magnitude = std::min(std::fabs(value), largest);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int quantum = magnitude == 0 ? 0 : std::max(exponent - 1, 1 - bias) - mantissa;
  const auto steps = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -quantum)));
  if (steps == 0) return 0;
  const uint32_t bits = steps + (static_cast<uint32_t>(quantum + mantissa + bias - 1) << mantissa);
  return static_cast<uint8_t>((std::signbit(value) ? 0x80u : 0u) | std::min(bits, 0x7fu));
}

constexpr std::array<float, 8> e2m1{0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

}  // namespace

float from_f8e4m3fnuz(uint8_t bits) { return decode_fnuz(bits, 3, 8); }
uint8_t to_f8e4m3fnuz(float value) { return encode_fnuz(value, 3, 8); }
float from_f8e5m2fnuz(uint8_t bits) { return decode_fnuz(bits, 2, 16); }
uint8_t to_f8e5m2fnuz(float value) { return encode_fnuz(value, 2, 16); }

float from_f8e8m0(uint8_t bits) { return bits == 0xff ? NAN : std::ldexp(1.0f, static_cast<int>(bits) - 127); }
uint8_t to_f8e8m0(float value) {
  if (std::isnan(value) || value < 0) return 0xff;
  if (value < 0x1p-127f) return 0;
  if (std::isinf(value)) return 0xfe;
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  return static_cast<uint8_t>(std::min(exponent - 1 + (fraction > 0.5f ? 1 : 0) + 127, 0xfe));
}

float from_f4e2m1(uint8_t bits) { return (bits & 8) != 0 ? -e2m1[bits & 7] : e2m1[bits & 7]; }
uint8_t to_f4e2m1(float value) {
  if (std::isnan(value)) return std::signbit(value) ? 0 : 8;
  const float magnitude = std::fabs(value);
  uint8_t nearest = 0;
  for (size_t i = 1; i < e2m1.size(); ++i) {
    const float middle = (e2m1[i - 1] + e2m1[i]) / 2;  // A tie goes to the even one.
    if (magnitude > middle || (magnitude == middle && i % 2 == 0)) nearest = static_cast<uint8_t>(i);
  }
  return static_cast<uint8_t>((std::signbit(value) ? 8 : 0) | nearest);
}

float from_f16(uint16_t bits) { return decode(bits, f16); }
uint16_t to_f16(float value) { return static_cast<uint16_t>(encode(value, f16)); }
float from_f8e4m3(uint8_t bits) { return decode(bits, e4m3); }
uint8_t to_f8e4m3(float value) { return static_cast<uint8_t>(encode(value, e4m3)); }
float from_f8e5m2(uint8_t bits) { return decode(bits, e5m2); }
uint8_t to_f8e5m2(float value) { return static_cast<uint8_t>(encode(value, e5m2)); }

}  // namespace hadal
