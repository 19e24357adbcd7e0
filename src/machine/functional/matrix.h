// One matrix instruction with its fields read: what the implementations by oneDNN, by plain loops and the exact ones
// share.
#pragma once

#include "isa/fields.h"
#include "machine/functional/chain.h"
#include "machine/functional/kernel.h"

namespace hadal::machine {

struct MatrixCall {
  explicit MatrixCall(const Call& call);

  const Call& call;
  isa::Opcode op;
  const Operand &out, &a, &b;
  bool transpose_a = false, transpose_b = false;
  int64_t shift = 0;  ///< Of matmul_scaled.
  /// Windows, by depth, height and width. Pads of conv_transpose may be negative.
  std::array<int64_t, 3> stride{}, dilation{}, before{}, after{};
  int64_t groups = 1;

  [[nodiscard]] bool is_scaled() const { return op == isa::Opcode::matmul_scaled; }
  [[nodiscard]] bool is_matmul() const { return op == isa::Opcode::matmul || is_scaled(); }
  /// Of matmul_scaled: what a block of products is multiplied by.
  [[nodiscard]] float scale(int64_t batch, int64_t row, int64_t block, int64_t column) const;
  /// Operands are integers, summed in i32.
  [[nodiscard]] bool integers() const { return !is_float(a.dtype()); }
  [[nodiscard]] DType sum_type() const { return integers() ? DType::i32 : DType::f32; }
  [[nodiscard]] const Operand& epilogue(size_t i) const { return call[isa::at::epilogue_0 + i]; }
  /// The chain that sums leave through, or null.
  [[nodiscard]] const ChainPlan* chain() const;
  /// Products that make one sum, at most.
  [[nodiscard]] int64_t depth() const;
};

/// Sums by plain loops over converted operands, for what oneDNN lacks. `sums` are f32 or i32, row-major as `out`.
void sum_plainly(const MatrixCall& matrix, bool accumulate, std::byte* sums);
/// Sums element by element, products in ascending order of the contraction: the definition.
void sum_exactly(const MatrixCall& matrix, bool accumulate, std::byte* sums);

}  // namespace hadal::machine
