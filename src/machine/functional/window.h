// The windows of pool, as its fields state them.
#pragma once

#include <array>

#include "isa/fields.h"
#include "machine/functional/kernel.h"

namespace hadal::machine {

enum class PoolKind : uint8_t { max, mean, sum };

struct PoolWindow {
  explicit PoolWindow(const Call& call)
      : kind(static_cast<PoolKind>(call.in.fields[isa::at::pool_kind].value)),
        count_pad(call.flag(isa::at::count_pad)) {
    for (size_t i = 0; i < 3; ++i) {
      kernel[i] = call.number(isa::at::kernel_d + i);
      stride[i] = call.number(isa::at::pool_stride_d + i);
      dilation[i] = call.number(isa::at::pool_dilation_d + i);
      before[i] = call.number(isa::at::pool_front + i);
    }
  }
  [[nodiscard]] int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  [[nodiscard]] int64_t at(size_t axis, int64_t output, int64_t tap) const {
    return output * stride[axis] + tap * dilation[axis] - before[axis];
  }

  PoolKind kind;
  bool count_pad;
  std::array<int64_t, 3> kernel{}, stride{}, dilation{}, before{};
};

}  // namespace hadal::machine
