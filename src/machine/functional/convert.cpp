// The same file is compiled for several instruction sets (Highway's foreach_target); the best is picked at run time.
#include "machine/functional/convert.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "machine/functional/numbers.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/functional/convert.cpp"

#include "machine/functional/simd_targets.h"

#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hadal::machine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;

void from_bf16_run(const uint16_t* from, float* to, size_t n) {
  const F32 d;
  const U32 du;
  const hn::Rebind<uint16_t, F32> d16;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, from + i)))), d, to + i);
  for (; i < n; ++i) to[i] = from_bf16(from[i]);
}

/// The bits of bf16 in the low half of each lane, as base/dtype.h rounds them.
template <class V>
HWY_INLINE hn::Vec<U32> bf16_bits(V value) {
  const U32 du;
  const auto bits = hn::BitCast(du, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd));
  const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(du, 0x40));
  return hn::IfThenElse(hn::RebindMask(du, hn::Eq(value, value)), rounded, quiet);
}

void to_bf16_run(const float* from, uint16_t* to, size_t n) {
  const F32 d;
  const I32 di;
  const hn::Rebind<uint16_t, F32> d16;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, bf16_bits(hn::LoadU(d, from + i)))), d16, to + i);
  for (; i < n; ++i) to[i] = to_bf16(from[i]);
}

void round_bf16_run(const float* from, float* to, size_t n) {
  const F32 d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(bf16_bits(hn::LoadU(d, from + i)))), d, to + i);
  for (; i < n; ++i) to[i] = from_bf16(to_bf16(from[i]));
}

void from_f16_run(const uint16_t* from, float* to, size_t n) {
  const F32 d;
  const hn::Rebind<hwy::float16_t, F32> d16;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(from) + i)), d, to + i);
  for (; i < n; ++i) to[i] = from_f16(from[i]);
}

void to_f16_run(const float* from, uint16_t* to, size_t n) {
  size_t i = 0;
#if HWY_TARGET <= HWY_AVX2  // smaller targets truncate
  const F32 d;
  const hn::Rebind<hwy::float16_t, F32> d16;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(d16, hn::LoadU(d, from + i)), d16, reinterpret_cast<hwy::float16_t*>(to) + i);
#endif
  for (; i < n; ++i) to[i] = to_f16(from[i]);
}

/// i8 and u8 to f32.
template <class T>
void from_byte_run(const T* from, float* to, size_t n) {
  const F32 d;
  const I32 di;
  const hn::Rebind<T, F32> d8;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, from + i))), d, to + i);
  for (; i < n; ++i) to[i] = static_cast<float>(from[i]);
}
void from_i8_run(const int8_t* from, float* to, size_t n) { from_byte_run(from, to, n); }
void from_u8_run(const uint8_t* from, float* to, size_t n) { from_byte_run(from, to, n); }

void from_i32_run(const int32_t* from, float* to, size_t n) {
  const F32 d;
  const I32 di;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) hn::StoreU(hn::ConvertTo(d, hn::LoadU(di, from + i)), d, to + i);
  for (; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

/// Clamped, rounded to nearest even, NaN 0: integers within f32's exact range.
template <class V>
HWY_INLINE hn::Vec<I32> rounded(V value, float low, float high) {
  const F32 d;
  const auto number = hn::IfThenElseZero(hn::Eq(value, value), value);
  return hn::NearestInt(hn::Min(hn::Max(number, hn::Set(d, low)), hn::Set(d, high)));
}

template <class T>
void to_byte_run(const float* from, T* to, size_t n, float low, float high) {
  const F32 d;
  const hn::Rebind<T, F32> d8;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(d8, rounded(hn::LoadU(d, from + i), low, high)), d8, to + i);
  for (; i < n; ++i) to[i] = static_cast<T>(hn::GetLane(rounded(hn::Set(d, from[i]), low, high)));
}
void to_i8_run(const float* from, int8_t* to, size_t n) { to_byte_run(from, to, n, -128, 127); }
void to_u8_run(const float* from, uint8_t* to, size_t n) { to_byte_run(from, to, n, 0, 255); }

}  // namespace hadal::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hadal::machine {

HWY_EXPORT(from_bf16_run);
HWY_EXPORT(to_bf16_run);
HWY_EXPORT(round_bf16_run);
HWY_EXPORT(from_f16_run);
HWY_EXPORT(to_f16_run);
HWY_EXPORT(from_i8_run);
HWY_EXPORT(from_u8_run);
HWY_EXPORT(from_i32_run);
HWY_EXPORT(to_i8_run);
HWY_EXPORT(to_u8_run);

namespace {

constexpr size_t block = 1024;

template <class T>
const T* as(const std::byte* bytes) {
  return reinterpret_cast<const T*>(bytes);
}
template <class T>
T* as(std::byte* bytes) {
  return reinterpret_cast<T*>(bytes);
}

/// The 256 values of an 8-bit float.
std::array<float, 256> values_of(float (*decode)(uint8_t)) {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = decode(static_cast<uint8_t>(i));
  return values;
}

void look_up(const std::array<float, 256>& values, const std::byte* from, float* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = values[static_cast<uint8_t>(from[i])];
}

template <class T>
void read_each(DType dtype, const std::byte* from, T* to, size_t n) {
  const auto step = static_cast<size_t>(bytes_of(dtype));
  for (size_t i = 0; i < n; ++i) to[i] = get<T>(dtype, from + i * step);
}

template <class T>
void write_each(DType dtype, const T* from, std::byte* to, size_t n) {
  const auto step = static_cast<size_t>(bytes_of(dtype));
  for (size_t i = 0; i < n; ++i) put<T>(dtype, to + i * step, from[i]);
}

/// Blocks through the type T, which holds every value of `from_type`.
template <class T>
void convert_through(DType from_type, const std::byte* from, DType to_type, std::byte* to, size_t n) {
  std::array<T, block> values;
  const auto from_step = static_cast<size_t>(bytes_of(from_type)), to_step = static_cast<size_t>(bytes_of(to_type));
  for (size_t i = 0; i < n; i += block) {
    const size_t count = std::min(block, n - i);
    read_run(from_type, from + i * from_step, values.data(), count);
    write_run(to_type, values.data(), to + i * to_step, count);
  }
}

}  // namespace

void read_run(DType dtype, const std::byte* from, float* to, size_t n) {
  static const std::array<float, 256> e4m3 = values_of(from_f8e4m3), e5m2 = values_of(from_f8e5m2);
  switch (dtype) {
    case DType::f32:
      std::memcpy(to, from, n * sizeof(float));
      return;
    case DType::bf16:
      return HWY_DYNAMIC_DISPATCH(from_bf16_run)(as<uint16_t>(from), to, n);
    case DType::f16:
      return HWY_DYNAMIC_DISPATCH(from_f16_run)(as<uint16_t>(from), to, n);
    case DType::i8:
      return HWY_DYNAMIC_DISPATCH(from_i8_run)(as<int8_t>(from), to, n);
    case DType::u8:
      return HWY_DYNAMIC_DISPATCH(from_u8_run)(as<uint8_t>(from), to, n);
    case DType::i32:
      return HWY_DYNAMIC_DISPATCH(from_i32_run)(as<int32_t>(from), to, n);
    case DType::boolean:
      for (size_t i = 0; i < n; ++i) to[i] = from[i] != std::byte{0} ? 1.0f : 0.0f;
      return;
    case DType::f8e4m3:
      return look_up(e4m3, from, to, n);
    case DType::f8e5m2:
      return look_up(e5m2, from, to, n);
    default:
      return read_each(dtype, from, to, n);
  }
}

void read_run(DType dtype, const std::byte* from, double* to, size_t n) {
  if (dtype == DType::f64) {
    std::memcpy(to, from, n * sizeof(double));
  } else if (dtype == DType::f32) {
    for (size_t i = 0; i < n; ++i) to[i] = static_cast<double>(as<float>(from)[i]);
  } else {
    read_each(dtype, from, to, n);
  }
}

void read_run(DType dtype, const std::byte* from, int64_t* to, size_t n) {
  if (dtype == DType::i64) {
    std::memcpy(to, from, n * sizeof(int64_t));
  } else if (dtype == DType::i32) {
    for (size_t i = 0; i < n; ++i) to[i] = as<int32_t>(from)[i];
  } else {
    read_each(dtype, from, to, n);
  }
}

void write_run(DType dtype, const float* from, std::byte* to, size_t n) {
  switch (dtype) {
    case DType::f32:
      std::memcpy(to, from, n * sizeof(float));
      return;
    case DType::bf16:
      return HWY_DYNAMIC_DISPATCH(to_bf16_run)(from, as<uint16_t>(to), n);
    case DType::f16:
      return HWY_DYNAMIC_DISPATCH(to_f16_run)(from, as<uint16_t>(to), n);
    case DType::i8:
      return HWY_DYNAMIC_DISPATCH(to_i8_run)(from, as<int8_t>(to), n);
    case DType::u8:
      return HWY_DYNAMIC_DISPATCH(to_u8_run)(from, as<uint8_t>(to), n);
    case DType::boolean:
      for (size_t i = 0; i < n; ++i) as<uint8_t>(to)[i] = from[i] != 0 ? 1 : 0;
      return;
    default:
      return write_each(dtype, from, to, n);
  }
}

void write_run(DType dtype, const double* from, std::byte* to, size_t n) {
  if (dtype == DType::f64) {
    std::memcpy(to, from, n * sizeof(double));
  } else {
    write_each(dtype, from, to, n);
  }
}

void write_run(DType dtype, const int64_t* from, std::byte* to, size_t n) {
  if (dtype == DType::i64) {
    std::memcpy(to, from, n * sizeof(int64_t));
  } else {
    write_each(dtype, from, to, n);
  }
}

void convert_run(DType from_type, const std::byte* from, DType to_type, std::byte* to, size_t n) {
  if (from_type == to_type) {
    std::memcpy(to, from, n * static_cast<size_t>(bytes_of(to_type)));
  } else if (from_type == DType::f32) {
    write_run(to_type, as<float>(from), to, n);
  } else if (to_type == DType::f32) {
    read_run(from_type, from, as<float>(to), n);
  } else if (fits_f32(from_type)) {
    convert_through<float>(from_type, from, to_type, to, n);
  } else if (from_type == DType::f64) {
    convert_through<double>(from_type, from, to_type, to, n);
  } else {
    convert_through<int64_t>(from_type, from, to_type, to, n);
  }
}

void round_to_bf16(const float* from, float* to, size_t n) { HWY_DYNAMIC_DISPATCH(round_bf16_run)(from, to, n); }

}  // namespace hadal::machine
#endif
