// The ops of the graph: about a hundred scalar functions, and the primitives that move, contract and reduce.
//
// Shapes are static. Axes are counted from 0 and resolved (never negative). "spatial" is the extents behind [N, C].
#pragma once

#include "graph/graph.h"

namespace hadal::graph::ops {

// Scalar functions: operands of one dtype, NumPy broadcasting over all of them. See ops/scalar.h for the table.
extern const Op neg, abs, sign, floor, ceil, round, exp, log, sqrt, rsqrt, reciprocal;
extern const Op sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf;
extern const Op is_nan, is_inf;                                     // -> bool
extern const Op not_, and_, or_, xor_;                              // bool; their names are "not", "and", "or", "xor"
extern const Op bit_and, bit_or, bit_xor, shift_left, shift_right;  // integers
extern const Op relu, leaky_relu, elu, selu, celu, sigmoid, hard_sigmoid, hard_swish, silu, gelu, gelu_tanh, softplus,
    softsign, mish, thresholded_relu;                                 // alpha, beta (selu: beta is gamma)
extern const Op clip;                                                 // alpha = low, beta = high; each may be infinite
extern const Op add, sub, mul, div, rem, fmod, pow, min, max, prelu;  // rem has the divisor's sign, fmod the dividend's
extern const Op equal, less, less_equal, greater, greater_equal;      // -> bool
extern const Op where;                                                // where(c: bool, a, b)

// Types and movement.
extern const Op cast;     // (x) to: dtype name
extern const Op bitcast;  // (x) to: dtype name, of as many bits
/// (x, scale, zero?), which broadcast to x. The compiler makes integer products of what they surround, and element-wise
/// work of the rest: ops/quantize.h spells them.
extern const Op dequantize;
extern const Op quantize;   // to: dtype name, an integer
extern const Op reshape;    // (x) shape
extern const Op transpose;  // (x) order: result axis i is operand axis order[i]
extern const Op broadcast;  // (x) shape: NumPy, aligned at the last axis
extern const Op
    slice;            // (x) starts, steps, sizes, each per axis; element i of an axis is x[start + i * step]; step != 0
extern const Op pad;  // (x) low, high per axis, >= 0; mode: constant | reflect | edge | wrap; value (constant)
extern const Op concat;  // (x...) axis

// Indexing. Indices are i32 or i64; a negative one counts from the end; one beyond the ends is clamped.
extern const Op gather;           // (x, i) axis: x.shape[:axis] + i.shape + x.shape[axis+1:]
extern const Op gather_elements;  // (x, i) axis
/// (x, i, updates) axis, combine: set | add | mul | min | max. i has the extents of the updates, or 1 elsewhere than
/// the axis.
extern const Op scatter;
extern const Op topk;    // (x) k, axis, largest, sorted -> values, indices: i64; ties: the lower index first
extern const Op cumsum;  // (x) axis, exclusive, reverse

// Contraction. i8 and u8 operands accumulate in, and result in, i32.
extern const Op matmul;  // (a, b) transpose_a, transpose_b (of the last two axes); leading axes broadcast
/// Floats scaled by blocks of 128: (a [..., m, k], b [..., k, n], of a [..., m, k/128], of b [..., k/128, n/128], both
/// f32 and rounded up) to: dtype name of the result; sums of a block are multiplied by its two scales, and added in
/// f32.
extern const Op scaled_matmul;
extern const Op conv;  // (x [N,C,s...], w [O,C/groups,k...], bias [O]?) strides, pads [begin..., end...], dilations,
                       // groups, outside: what pads hold (0)
extern const Op
    conv_transpose;  // (x [N,C,s...], w [C,O/groups,k...], bias?) strides, pads, dilations, output_padding, groups

// Reduction.
extern const Op reduce;      // (x) kind: sum mean max min prod sum_square l1 l2 log_sum log_sum_exp; axes, keep; to:
                             // dtype name of the result, if not x's (both floats, or both integers)
extern const Op arg_reduce;  // (x) kind: max | min; axis, keep, last (of equals) -> i64
/// (x) kind: max | mean; kernel, strides, pads [begin..., end...], dilations, extra (per axis: positions beyond the end
/// pad that ceil mode visits; they never count), count_pad (mean: pads count in the divisor).
extern const Op pool;

// Kept whole, as the chip has steps for them.
extern const Op softmax;    // (x) axis, log
extern const Op normalize;  // (x, scale?, bias?) axes, epsilon, kind: layer | rms; scale and bias broadcast against x
/// (x) mode: nearest | linear | cubic; coordinates and rounding as ONNX names them; sizes and scales per axis;
/// cubic, exclude_outside, antialias, roi. See ops/resize.h for its tables of taps.
extern const Op resize;
/// Host op. (boxes [B,N,4] by two corners, scores [B,C,N], boxes kept of a class, largest overlap, smallest score)
/// most: a bound of what is kept. -> i64 [B*C*min(most, N), 3] of (batch, class, box); unused rows are -1.
extern const Op non_max_suppression;

}  // namespace hadal::graph::ops
