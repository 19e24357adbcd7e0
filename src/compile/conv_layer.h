// A convolution as its emitters see it: channels-last operands, windows, and the epilogue with the bias as first step.
#pragma once

#include <string>
#include <vector>

#include "compile/emitter.h"
#include "compile/spatial.h"

namespace hadal::compile {

/// Everything that convolution, depthwise and transposed convolution share.
struct ConvLayer {
  Windows windows;
  Placed x, w, out;  ///< [N, D, H, W, C], [KD, KH, KW, ., .], [N, D, H, W, O].
  Group group;
  std::vector<Placed> streams;
  std::vector<std::vector<int64_t>> strides;
  std::vector<int> tensors;
  int x_tensor = 0, w_tensor = 0, out_tensor = 0;
  int64_t groups = 1;
  bool depthwise = false, constant_weights = true;
  bool group_by_group = false;  ///< A tile lies within one group: for groups too large to fit whole.
  bool blocks = false;          ///< Weights lie in blocks of a tile's channels, [block, KD, KH, KW, ., .].
};

/// Begins the phase of a convolution; `op` names it. Constant weights of one group are left to be laid out in blocks.
ConvLayer conv_layer(Emitter& e, const Group& group, const std::string& op);

}  // namespace hadal::compile
