// Instructions as bytes, by the instruction table.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"
#include "isa/program.h"
#include "isa/table.h"

namespace hadal::isa {

/// Instructions are whole units of 16 bytes; the first is the header.
inline constexpr size_t unit_bytes = 16;

/// Bytes of a field of this kind.
constexpr size_t bytes_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::flag:
    case FieldKind::choice:
    case FieldKind::target:
      return 1;
    case FieldKind::chain:
    case FieldKind::table:
    case FieldKind::function:
      return 2;
    case FieldKind::count:
    case FieldKind::number:
    case FieldKind::real:
      return 4;
  }
  return 0;
}

/// Bytes of every instruction of the row.
size_t encoded_bytes(const Row& row);
/// Bytes of the instructions of a program.
uint64_t code_bytes(const Program& program);

/// Appends the bytes. Errors: code.C1 (a number that its field cannot hold, operands or fields not those of the row).
Status encode(const Instruction& in, std::string& out);
/// Reads the instruction that begins `bytes` and tells its length. Errors: code.C1 (unknown opcode or queue, cut short,
/// unused bits set).
Result<Instruction> decode(std::span<const std::byte> bytes, size_t& length);

}  // namespace hadal::isa
