// Positions of the operands and fields of each row, for code that reads or makes instructions.
// A test holds them equal to the table's.
#pragma once

#include <cstddef>

namespace hadal::isa {

/// Elements along k that share a scale in matmul_scaled, and columns of b.
inline constexpr int scale_block = 128;

}  // namespace hadal::isa

namespace hadal::isa::at {

enum loop : size_t { loop_index, loop_count, loop_max };
enum let : size_t { let_target, let_op, let_a, let_b };
enum load : size_t { load_fill, load_value, load_share, load_step };
enum gather : size_t { gather_bounds };
enum scatter : size_t { scatter_axis, scatter_combine };

/// matmul, and the accumulator fields that every matrix instruction begins with.
enum matrix : size_t { accumulator, accumulate, emit, epilogue, matrix_fields };
enum matmul : size_t { transpose_a = matrix_fields, transpose_b, shift };
/// conv, conv_depthwise and conv_transpose; pool has the same windows from 0 after its kind.
enum conv : size_t {
  stride_d = matrix_fields,
  stride_h,
  stride_w,
  dilation_d,
  dilation_h,
  dilation_w,
  pad_front,
  pad_top,
  pad_left,
  pad_back,
  pad_bottom,
  pad_right,
  groups
};
enum matrix_operand : size_t { out, a, b, epilogue_0, epilogue_1, epilogue_2, a_scale, b_scale };

enum map : size_t { map_chain };
enum map_operand : size_t { map_out, map_in };
enum reduce : size_t { reduce_kind, reduce_axes };
enum arg_reduce : size_t { arg_kind, arg_axis, arg_last };
enum softmax : size_t { softmax_log };
enum norm : size_t { norm_kind, norm_dims, norm_epsilon };
enum pool : size_t {
  pool_kind,
  kernel_d,
  kernel_h,
  kernel_w,
  pool_stride_d,
  pool_stride_h,
  pool_stride_w,
  pool_dilation_d,
  pool_dilation_h,
  pool_dilation_w,
  pool_front,
  pool_top,
  pool_left,
  pool_back,
  pool_bottom,
  pool_right,
  count_pad
};
enum resample : size_t { resample_axis, resample_table, resample_start, resample_base };
enum transpose : size_t { order_0 };
enum topk : size_t { topk_largest, topk_sorted };
enum scan : size_t { scan_exclusive, scan_reverse };
enum select_along : size_t { select_axis };
enum sort : size_t { sort_axis, sort_run, sort_descending };
enum sort_pairs : size_t { pairs_axis, pairs_run, pairs_descending, pairs_lower_above };  // First those of sort.
enum host_call : size_t { host_function };
enum host_operand : size_t { host_out, host_count, host_in };

}  // namespace hadal::isa::at
