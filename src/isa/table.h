// The instruction table: the one source of encoding, assembler text, checks and manual.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "isa/program.h"

namespace hadal::isa {

enum class FieldKind : uint8_t {
  flag,      ///< 0 or 1.
  count,     ///< u32 constant.
  number,    ///< i32 constant or register.
  real,      ///< f32, its bits in Field::value.
  choice,    ///< One of `choices`.
  target,    ///< A register that is written.
  chain,     ///< Index of a chain, or no_chain.
  table,     ///< Index of a resample table.
  function,  ///< Index of a host function.
};

using Choices = std::array<std::string_view, 20>;

struct FieldRow {
  std::string_view name;
  FieldKind kind = FieldKind::flag;
  std::string_view meaning;
  int64_t otherwise = 0;  ///< Value when the text leaves it out; the canonical text does, where equal.
  Choices choices{};
};

/// Spaces an operand may lie in, as bits 1 << Space.
inline constexpr uint8_t in_hbm = 1, in_shared = 2, in_scratchpad = 4;
inline constexpr uint8_t in_memory = in_hbm | in_shared;

struct OperandRow {
  std::string_view name;
  bool written = false;
  uint8_t spaces = in_scratchpad;
  bool optional = false;
  std::string_view dims;  ///< Letters: equal letters, equal extents. Empty: the rules say.
  bool kept = false;      ///< Written where an index says: the rest stays, so that earlier writes come first.
  bool in_place = false;  ///< May be the very box of the first operand: each element is read before it is written.
};

inline constexpr int operand_limit = 9;

struct Row {
  Opcode op = Opcode::halt;
  std::string_view name;
  uint8_t queues = 0;  ///< Bits 1 << Queue; the first is the default.
  std::string_view summary;
  std::string_view semantics;
  std::string_view timing;
  std::array<OperandRow, operand_limit> operands{};
  std::array<FieldRow, field_limit> fields{};

  [[nodiscard]] constexpr size_t operand_count() const {
    size_t n = 0;
    while (n < operands.size() && !operands[n].name.empty()) ++n;
    return n;
  }
  /// Operands that are written; they come first.
  [[nodiscard]] constexpr size_t written_count() const {
    size_t n = 0;
    while (n < operands.size() && operands[n].written) ++n;
    return n;
  }
  [[nodiscard]] constexpr size_t field_count() const {
    size_t n = 0;
    while (n < fields.size() && !fields[n].name.empty()) ++n;
    return n;
  }
};

/// All rows, in opcode order.
std::span<const Row> table();
/// The row of an opcode or of a name; null where there is none.
const Row* row_of(Opcode op);
const Row* row_named(std::string_view name);
constexpr uint8_t on(Queue q) { return static_cast<uint8_t>(1u << static_cast<unsigned>(q)); }
std::string_view name_of(Queue queue);
std::optional<Queue> queue_named(std::string_view name);

/// What an operation of a chain is: its operands, and what it costs a lane.
struct ChainOp {
  std::string_view name;
  int operands = 1;
  int alu = 1;      ///< Simple lane operations.
  int special = 0;  ///< exp, log, tanh, divide … on the special-function units.
  std::string_view meaning;
};
/// All chain operations; a ChainStep's `op` indexes them. The order is part of the file format: append only.
std::span<const ChainOp> chain_ops();
std::optional<uint8_t> chain_op_named(std::string_view name);

}  // namespace hadal::isa
