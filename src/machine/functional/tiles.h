// Operands of other types as f32: whole tiles, in the worker's buffers.
#pragma once

#include "machine/functional/convert.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

/// The elements of a dense operand as f32, converted into `buffer` where they are not.
inline const float* as_f32(const Operand& operand, Buffer& buffer) {
  if (operand.dtype() == DType::f32) return operand.as<float>();
  const int64_t n = operand.elements();
  auto* to = buffer.of<float>(n);
  read_run(operand.dtype(), operand.data, to, static_cast<size_t>(n));
  return to;
}

/// Where f32 results go: the operand itself, or a buffer that `finish` converts.
class F32Result {
 public:
  F32Result(const Operand& operand, Buffer& buffer)
      : operand_(operand),
        data_(operand.dtype() == DType::f32 ? operand.as<float>() : buffer.of<float>(operand.elements())) {}
  [[nodiscard]] float* data() const { return data_; }
  void finish() const {
    if (operand_.dtype() != DType::f32)
      write_run(operand_.dtype(), data_, operand_.data, static_cast<size_t>(operand_.elements()));
  }

 private:
  const Operand& operand_;
  float* data_;
};

}  // namespace hadal::machine
