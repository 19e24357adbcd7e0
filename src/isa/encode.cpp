#include "isa/encode.h"

#include <algorithm>
#include <limits>

namespace hadal::isa {

namespace {

// Header: opcode (10 bits), length in units (4), zero (2); queue; predicate; three waits, three signals of id and
// count.
constexpr unsigned opcode_bits = 10;
constexpr uint8_t everywhere_bit = 0x80;

bool has_numbers(const Row& row) {
  return std::any_of(row.fields.begin(), row.fields.end(),
                     [](const FieldRow& f) { return !f.name.empty() && f.kind == FieldKind::number; });
}

void put(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xffu);
}

uint64_t get(std::span<const std::byte> bytes, size_t& at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= static_cast<uint64_t>(bytes[at++]) << (8 * i);
  return value;
}

bool fits(const FieldRow& row, const Field& field) {
  if (field.is_register) return row.kind == FieldKind::number && field.value >= 0 && field.value < registers;
  if (row.kind == FieldKind::number)
    return field.value >= std::numeric_limits<int32_t>::min() && field.value <= std::numeric_limits<int32_t>::max();
  return field.value >= 0 && static_cast<uint64_t>(field.value) >> (8 * bytes_of(row.kind)) == 0;
}

Error broken(std::string message) { return {"code.C1", std::move(message)}; }

}  // namespace

size_t encoded_bytes(const Row& row) {
  size_t bytes = unit_bytes + 2 * row.operand_count() + (has_numbers(row) ? 4 : 0);
  for (size_t i = 0; i < row.field_count(); ++i) bytes += bytes_of(row.fields[i].kind);
  return (bytes + unit_bytes - 1) / unit_bytes * unit_bytes;
}

uint64_t code_bytes(const Program& program) {
  uint64_t bytes = 0;
  for (const Instruction& in : program.code)
    if (const Row* row = row_of(in.op)) bytes += encoded_bytes(*row);
  return bytes;
}

Status encode(const Instruction& in, std::string& out) {
  const Row* row = row_of(in.op);
  if (row == nullptr || in.operands.size() != row->operand_count() || in.fields.size() != row->field_count())
    return broken("the operands or fields are not those of the instruction");
  const size_t start = out.size(), size = encoded_bytes(*row);
  put(out, static_cast<uint64_t>(in.op) | (size / unit_bytes) << opcode_bits, 2);
  put(out, static_cast<uint64_t>(in.queue), 1);
  put(out, in.predicate, 1);
  for (const auto* syncs : {&in.waits, &in.signals})
    for (const Sync& sync : *syncs) {
      if (sync.id >= semaphores) return broken(fmt::format("semaphore {} does not exist", sync.id));
      put(out, sync.id | (sync.everywhere ? everywhere_bit : 0u), 1);
      put(out, sync.count, 1);
    }
  for (const uint16_t operand : in.operands) put(out, operand, 2);
  uint64_t mask = 0;
  for (size_t i = 0; i < in.fields.size(); ++i)
    if (in.fields[i].is_register) mask |= uint64_t{1} << i;
  if (has_numbers(*row)) put(out, mask, 4);
  for (size_t i = 0; i < in.fields.size(); ++i) {
    if (!fits(row->fields[i], in.fields[i]))
      return broken(fmt::format("field `{}` of {} cannot be {}", row->fields[i].name, row->name, in.fields[i].value));
    put(out, static_cast<uint64_t>(in.fields[i].value), bytes_of(row->fields[i].kind));
  }
  out.resize(start + size, '\0');
  return {};
}

Result<Instruction> decode(std::span<const std::byte> bytes, size_t& length) {
  if (bytes.size() < unit_bytes) return broken("the code ends inside an instruction");
  size_t at = 0;
  const uint64_t head = get(bytes, at, 2);
  Instruction in;
  in.op = static_cast<Opcode>(head & ((1u << opcode_bits) - 1));
  const Row* row = row_of(in.op);
  if (row == nullptr) return broken(fmt::format("no instruction has the opcode {}", head & ((1u << opcode_bits) - 1)));
  length = encoded_bytes(*row);
  if (head >> opcode_bits != length / unit_bytes)
    return broken(
        fmt::format("{} has {} units and no flags, not {:#x}", row->name, length / unit_bytes, head >> opcode_bits));
  if (bytes.size() < length) return broken("the code ends inside an instruction");
  const uint64_t queue = get(bytes, at, 1);
  if (queue >= queue_count) return broken(fmt::format("queue {} does not exist", queue));
  in.queue = static_cast<Queue>(queue);
  in.predicate = static_cast<uint8_t>(get(bytes, at, 1));
  for (auto* syncs : {&in.waits, &in.signals})
    for (Sync& sync : *syncs) {
      const uint64_t id = get(bytes, at, 1);
      sync = {static_cast<uint8_t>(id & ~uint64_t{everywhere_bit}), static_cast<uint8_t>(get(bytes, at, 1)),
              (id & everywhere_bit) != 0};
      if (sync.id >= semaphores) return broken(fmt::format("semaphore {} does not exist", sync.id));
    }
  in.operands.resize(row->operand_count());
  for (uint16_t& operand : in.operands) operand = static_cast<uint16_t>(get(bytes, at, 2));
  uint64_t mask = has_numbers(*row) ? get(bytes, at, 4) : 0;
  in.fields.resize(row->field_count());
  for (size_t i = 0; i < in.fields.size(); ++i) {
    const FieldKind kind = row->fields[i].kind;
    const uint64_t value = get(bytes, at, bytes_of(kind));
    in.fields[i].value = kind == FieldKind::number ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
    in.fields[i].is_register = (mask >> i & 1) != 0;
    if (!fits(row->fields[i], in.fields[i]))
      return broken(fmt::format("field `{}` of {} cannot be a register {}", row->fields[i].name, row->name, value));
    mask &= ~(uint64_t{1} << i);
  }
  while (at < length) mask |= get(bytes, at, 1);
  if (mask != 0) return broken(fmt::format("unused bits of {} are set", row->name));
  return in;
}

}  // namespace hadal::isa
