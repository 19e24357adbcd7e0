// Single elements of any type as numbers: what the exact kernels and the rare types go through.
#pragma once

#include <cstdint>

#include "base/tensor.h"

namespace hadal::machine {

/// How an instruction computes on an element type: floats in f32, f64 in f64, integers and bool in i64.
enum class Compute : uint8_t { f32, f64, i64 };
Compute compute_of(DType dtype);

/// Calls f with a value of the type that an operand's elements are compared and added in.
template <class F>
void with_compute(DType dtype, const F& f) {
  switch (compute_of(dtype)) {
    case Compute::f32:
      return f(float());
    case Compute::f64:
      return f(double());
    case Compute::i64:
      return f(int64_t());
  }
}

/// Whether every value of the type is an f32 value.
bool fits_f32(DType dtype);

/// One element as T (float, double or int64_t). Floats read as integers are truncated and saturate.
template <class T>
T get(DType dtype, const std::byte* at);
/// Writes one element: rounded to nearest even, integers saturate, NaN becomes integer 0.
/// u64 and int64_t exchange their bits, so that 64-bit arithmetic wraps.
template <class T>
void put(DType dtype, std::byte* at, T value);

}  // namespace hadal::machine
