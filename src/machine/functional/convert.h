// Runs of elements from one type to another, vectorised. Values are those of numbers.h, element by element.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace hadal::machine {

/// `n` elements of `dtype` as f32, f64 or i64. `from` and `to` do not overlap.
void read_run(DType dtype, const std::byte* from, float* to, size_t n);
void read_run(DType dtype, const std::byte* from, double* to, size_t n);
void read_run(DType dtype, const std::byte* from, int64_t* to, size_t n);
void write_run(DType dtype, const float* from, std::byte* to, size_t n);
void write_run(DType dtype, const double* from, std::byte* to, size_t n);
void write_run(DType dtype, const int64_t* from, std::byte* to, size_t n);

/// Any type to any type. The types differ in size or not; the runs do not overlap.
void convert_run(DType from_type, const std::byte* from, DType to_type, std::byte* to, size_t n);

/// f32 rounded to bf16 values, still as f32: what a chip with one bf16 pass multiplies.
void round_to_bf16(const float* from, float* to, size_t n);

}  // namespace hadal::machine
