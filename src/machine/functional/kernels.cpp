#include "machine/functional/kernels.h"

namespace hadal::machine {

using isa::Opcode;

Kernel kernel_of(Opcode op, bool exact) {
  switch (op) {
    case Opcode::load:
      return load;
    case Opcode::store:
      return store;
    case Opcode::gather:
      return gather;
    case Opcode::scatter:
      return scatter;
    case Opcode::matmul:
    case Opcode::conv:
    case Opcode::conv_depthwise:
    case Opcode::conv_transpose:
    case Opcode::matmul_scaled:
      return exact ? matrix_exact : matrix_fast;
    case Opcode::map:
      return map;
    case Opcode::reduce:
      return exact ? reduce_exact : reduce_fast;
    case Opcode::arg_reduce:
      return exact ? arg_reduce_exact : arg_reduce_fast;
    case Opcode::softmax:
      return exact ? softmax_exact : softmax_fast;
    case Opcode::norm:
      return exact ? norm_exact : norm_fast;
    case Opcode::pool:
      return exact ? pool_exact : pool_fast;
    case Opcode::resample:
      return exact ? resample_exact : resample_fast;
    case Opcode::transpose:
      return transpose;
    case Opcode::topk:
      return topk;
    case Opcode::scan:
      return scan;
    case Opcode::select_along:
      return select_along;
    case Opcode::sort:
      return exact ? sort_exact : sort_fast;
    case Opcode::sort_pairs:
      return exact ? sort_pairs_exact : sort_pairs_fast;
    case Opcode::host_call:
      return host_call;
    default:
      return nullptr;
  }
}

}  // namespace hadal::machine
