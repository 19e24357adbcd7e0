// Reductions and combinations of runs of f32, vectorised. Sums go over several lanes, so their order is the host's.
#pragma once

#include <cstddef>

namespace hadal::machine {

struct RowFunctions {
  // Of one row. Largest and smallest are NaN where an element is.
  float (*sum)(const float* x, size_t n);
  float (*sum_square)(const float* x, size_t n);
  float (*sum_abs)(const float* x, size_t n);
  float (*product)(const float* x, size_t n);
  float (*largest)(const float* x, size_t n);
  float (*smallest)(const float* x, size_t n);
  /// Sum of (x - mean)^2.
  float (*spread)(const float* x, float mean, size_t n);
  /// Sum of e^(x - shift); the terms go to `out` unless it is null.
  float (*sum_exp)(const float* x, float shift, float* out, size_t n);

  // Element by element into `to`.
  void (*add)(float* to, const float* x, size_t n);
  void (*add_square)(float* to, const float* x, size_t n);
  void (*add_abs)(float* to, const float* x, size_t n);
  void (*multiply)(float* to, const float* x, size_t n);
  void (*raise)(float* to, const float* x, size_t n);  ///< The greater of the two.
  void (*lower)(float* to, const float* x, size_t n);
  /// to += e^(x - shift), element by element.
  void (*add_exp)(float* to, const float* x, const float* shift, size_t n);
  /// (x - shift) * scale.
  void (*shift_scale)(const float* x, float shift, float scale, float* out, size_t n);
  /// out = out * gamma + beta; either may be null.
  void (*affine)(float* out, const float* gamma, const float* beta, size_t n);

  // Over `count` rows, into `out`, all rows in one pass.
  void (*largest_of)(const float* const* rows, size_t count, float* out, size_t n);
  /// Sum of the rows / divisor.
  void (*sum_of)(const float* const* rows, size_t count, float divisor, float* out, size_t n);
  /// Sum of weight[i] * row i.
  void (*weighted_sum_of)(const float* const* rows, const float* weights, size_t count, float* out, size_t n);
};
const RowFunctions& rows();

}  // namespace hadal::machine
