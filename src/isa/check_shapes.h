// Internal to check*.cpp: one instruction under check.
#pragma once

#include <array>
#include <span>
#include <string>

#include "isa/check.h"

namespace hadal::isa {

struct Checked {
  const Program& program;
  const Sequencer& sequencer;
  const Instruction& in;
  std::span<const Box> boxes;
  std::array<uint64_t, operand_limit> elements{};  ///< Of each given operand.

  [[nodiscard]] bool given(size_t operand) const { return in.operands[operand] != no_view; }
  [[nodiscard]] int64_t number(size_t field) const { return sequencer.number(in.fields[field]); }
  [[nodiscard]] Error fail(const char* rule, std::string message) const {
    return {rule, std::move(message), place_of(program, sequencer.index())};
  }
  /// "`out` [1, 8, 8, 64]".
  [[nodiscard]] std::string shown(size_t operand) const;
};

/// Extents of matmul, conv …, and the accumulator.
Status check_matrix(const Checked& c);
/// Extents of the vector engine's instructions.
Status check_vector(const Checked& c);

/// A sliding window along one axis.
struct Window {
  int64_t kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;

  /// Outputs along the axis, or -1 where the window is longer than the padded input.
  [[nodiscard]] int64_t outputs(int64_t input) const {
    const int64_t room = input + before + after - dilation * (kernel - 1) - 1;
    return room < 0 ? -1 : room / stride + 1;
  }
};
/// Extent of axis 1 + `axis` of `out` against the window over the same axis of operand `in`; `rule` names the error.
Status check_window(const Checked& c, const char* rule, size_t in, size_t axis, const Window& window);
/// Every extent of the operand is that of `out`, or 1; the ranks are equal.
Status check_broadcast(const Checked& c, const char* rule, size_t operand);

}  // namespace hadal::isa
