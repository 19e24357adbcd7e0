#include <algorithm>

#include "base/suggest.h"
#include "isa/assembler.h"
#include "isa/fields.h"
#include "isa/file_sections.h"

namespace hadal::isa {

namespace {

Result<Extent> read_extent(Cursor& c) {
  Extent extent;
  if (c.sees_register()) {
    HADAL_TRY(extent.source, c.register_number());
    HADAL_CHECK(c.expect("<="));
  }
  HADAL_TRY(extent.size, c.number<uint32_t>());
  return extent;
}

/// A sum of numbers and registers times numbers: at most two registers.
Result<Origin> read_origin(Cursor& c) {
  std::array<int64_t, 2> scales{};
  std::array<uint8_t, 2> names{no_register, no_register};
  int64_t base = 0;
  const size_t start = c.mark();
  for (bool first = true; first || c.sees("+") || c.sees("-"); first = false) {
    const int64_t sign = c.accept("-") ? -1 : 1;
    if (sign > 0 && !first) c.accept("+");
    if (!c.sees_register()) {
      HADAL_TRY(const int64_t value, c.integer(-(int64_t{1} << 31), int64_t{1} << 31));
      base += sign * value;
    } else {
      HADAL_TRY(const uint8_t name, c.register_number());
      int64_t scale = 1;
      if (c.accept("*")) {
        HADAL_TRY(scale, c.number<int32_t>());
      }
      const size_t slot = names[0] == no_register || names[0] == name ? 0 : 1;
      if (names[slot] != no_register && names[slot] != name)
        return c.fail("asm.range", "an origin has at most two registers");
      names[slot] = name;
      scales[slot] += sign * scale;
    }
    if (c.mark() - start > 64) return c.fail("asm.range", "an origin has too many terms");
  }
  const auto fits = [](int64_t value) { return value >= INT32_MIN && value <= INT32_MAX; };
  if (!fits(base) || !fits(scales[0]) || !fits(scales[1])) {
    c.back(start);
    return c.fail("asm.range", "32 bits do not hold a number of this origin");
  }
  return Origin{static_cast<int32_t>(base), static_cast<int32_t>(scales[0]), static_cast<int32_t>(scales[1]), names[0],
                names[1]};
}

/// `[r5 - 1 % 4 x 65536]`, the bracket already seen.
Status read_ring(Cursor& c, View& view) {
  HADAL_CHECK(c.expect("["));
  HADAL_TRY(view.ring_register, c.register_number());
  if (c.sees("+") || c.sees("-")) {
    const bool negative = !c.accept("+") && c.accept("-");
    HADAL_TRY(const int64_t shift, c.integer(0, 32767));
    view.ring_shift = static_cast<int16_t>(negative ? -shift : shift);
  }
  HADAL_CHECK(c.expect("%"));
  HADAL_TRY(view.slots, c.number<uint16_t>());
  HADAL_CHECK(c.expect("x"));
  HADAL_TRY(view.slot_bytes, c.number<uint32_t>());
  return c.expect("]");
}

}  // namespace

Result<uint16_t> Assembler::view(Cursor& c) {
  HADAL_TRY(const size_t tensor, tensors_.read(c));
  View view;
  if (tensor > UINT16_MAX) return c.fail("asm.range", "there are too many tensors");
  view.tensor = static_cast<uint16_t>(tensor);
  if (program_.tensors[tensor].space == Space::scratchpad) {
    if (c.sees("[") && c.peek(1).text.starts_with("r") && (c.sees("%", 2) || c.sees("%", 4)))
      HADAL_CHECK(read_ring(c, view));
  } else {
    size_t axis = 0;
    HADAL_CHECK(c.list([&]() -> Status {
      if (axis == rank_limit) return c.fail("asm.range", "a view has at most 6 axes");
      HADAL_TRY(view.origins[axis], read_origin(c));
      ++axis;
      return {};
    }));
    if (axis != program_.tensors[tensor].rank)
      return c.fail("asm.range",
                    fmt::format("{} origins; the tensor has {} axes", axis, program_.tensors[tensor].rank));
  }
  HADAL_CHECK(c.list([&]() -> Status {
    if (view.rank == rank_limit) return c.fail("asm.range", "a view has at most 6 axes");
    HADAL_TRY(view.extents[view.rank], read_extent(c));
    ++view.rank;
    return {};
  }));
  const auto [at, added] = views_.try_emplace(bytes_of(view), static_cast<uint16_t>(program_.views.size()));
  if (added && program_.views.size() == no_view) return c.fail("asm.range", "there are more than 65535 views");
  if (added) program_.views.push_back(view);
  return at->second;
}

Result<Field> Assembler::number_or_register(Cursor& c) {
  Field field;
  field.is_register = c.sees_register();
  if (field.is_register) {
    HADAL_TRY(field.value, c.register_number());
  } else {
    HADAL_TRY(field.value, c.number<int32_t>());
  }
  return field;
}

Result<int64_t> Assembler::field_value(Cursor& c, const FieldRow& row) {
  switch (row.kind) {
    case FieldKind::flag:
      return int64_t{1};
    case FieldKind::count:
      return c.integer(0, UINT32_MAX);
    case FieldKind::chain:
    case FieldKind::table:
    case FieldKind::function:
      return c.integer(0, UINT16_MAX);
    case FieldKind::real: {
      HADAL_TRY(const uint32_t bits, c.real());
      return int64_t{bits};
    }
    case FieldKind::target: {
      HADAL_TRY(const uint8_t number, c.register_number());
      return int64_t{number};
    }
    case FieldKind::choice: {
      const auto end = std::find(row.choices.begin(), row.choices.end(), std::string_view());
      const auto found = std::find(row.choices.begin(), end, c.peek().text);
      if (c.peek().kind != Token::Kind::word || found == end)
        return c.expected(fmt::format("one of {}", fmt::join(row.choices.begin(), end, ", ")));
      c.step();
      return static_cast<int64_t>(found - row.choices.begin());
    }
    case FieldKind::number:
      break;
  }
  return c.expected("a number");
}

Status Assembler::loop(Cursor& c, Instruction& in) {
  HADAL_TRY(in.fields[at::loop_index].value, c.register_number());
  HADAL_CHECK(c.expect(","));
  HADAL_TRY(in.fields[at::loop_count], number_or_register(c));
  if (c.accept("max")) {
    HADAL_TRY(in.fields[at::loop_max].value, c.number<uint32_t>());
    return {};
  }
  if (in.fields[at::loop_count].is_register) return c.expected("`max`, since the count is a register");
  in.fields[at::loop_max] = in.fields[at::loop_count];
  return {};
}

Status Assembler::let(Cursor& c, const Row& row, Instruction& in) {
  HADAL_TRY(in.fields[at::let_target].value, c.register_number());
  HADAL_CHECK(c.expect("="));
  HADAL_TRY(in.fields[at::let_op].value, field_value(c, row.fields[at::let_op]));
  HADAL_TRY(in.fields[at::let_a], number_or_register(c));
  HADAL_CHECK(c.expect(","));
  HADAL_TRY(in.fields[at::let_b], number_or_register(c));
  return {};
}

Status Assembler::operands(Cursor& c, const Row& row, Instruction& in) {
  const size_t count = row.operand_count();
  for (size_t i = 0; i < count;) {
    if (i > 0 && !c.accept(",")) break;
    size_t operand = i;
    if (c.peek().kind == Token::Kind::word && c.sees("=", 1)) {
      const auto named = [&](const OperandRow& o) { return o.name == c.peek().text; };
      operand = static_cast<size_t>(
          std::find_if(row.operands.begin(), row.operands.begin() + static_cast<ptrdiff_t>(count), named) -
          row.operands.begin());
      if (operand == count || operand < i)
        return c.fail("asm.syntax", fmt::format("{} has no such operand here", row.name));
      c.step();
      c.step();
    }
    HADAL_TRY(in.operands[operand], view(c));
    i = operand + 1;
  }
  for (size_t i = 0; i < count; ++i)
    if (in.operands[i] == no_view && !row.operands[i].optional)
      return c.expected(fmt::format("operand `{}` of {}", row.operands[i].name, row.name));
  return {};
}

Status Assembler::fields(Cursor& c, const Row& row, Instruction& in) {
  std::vector<bool> given(row.field_count());
  while (c.peek().kind == Token::Kind::word && !c.sees("wait") && !c.sees("signal")) {
    const auto named = [&](const FieldRow& f) { return f.name == c.peek().text; };
    const size_t i = static_cast<size_t>(
        std::find_if(row.fields.begin(), row.fields.begin() + static_cast<ptrdiff_t>(row.field_count()), named) -
        row.fields.begin());
    if (i == row.field_count()) {
      std::vector<std::string_view> names{"wait", "signal"};
      for (size_t k = 0; k < row.field_count(); ++k) names.push_back(row.fields[k].name);
      Error error = c.fail("asm.unknown", fmt::format("{} has no field of this name", row.name));
      error.remedy = did_you_mean(c.peek().text, names);
      return error;
    }
    if (given[i]) return c.fail("asm.syntax", "this field is given already");
    given[i] = true;
    c.step();
    if (row.fields[i].kind == FieldKind::number) {
      HADAL_TRY(in.fields[i], number_or_register(c));
    } else {
      HADAL_TRY(in.fields[i].value, field_value(c, row.fields[i]));
    }
  }
  return {};
}

Status Assembler::syncs(Cursor& c, std::array<Sync, 3>& syncs) {
  size_t count = 0;
  do {
    if (count == syncs.size()) return c.fail("asm.range", "an instruction has at most 3 waits and 3 signals");
    Sync& sync = syncs[count++];
    HADAL_TRY(const size_t id, semaphores_.read(c));
    sync.id = static_cast<uint8_t>(id);
    sync.count = 1;
    if (c.accept("*")) {
      HADAL_TRY(const int64_t number, c.integer(1, UINT8_MAX));
      sync.count = static_cast<uint8_t>(number);
    }
    sync.everywhere = c.accept("everywhere");
  } while (c.accept(","));
  return {};
}

Status Assembler::code_line(Cursor& c) {
  if (c.accept("at")) {
    const size_t start = c.mark();
    HADAL_TRY(layer_, c.number<uint32_t>());
    line_.clear();
    if (layer_ < program_.layers.size()) {
      if (c.at_end()) return {};
      HADAL_TRY(line_, c.name());
      return {};
    }
    c.back(start);
    return c.fail("asm.unknown", fmt::format("there are {} layers", program_.layers.size()));
  }
  const Row* row = c.peek().kind == Token::Kind::word ? row_named(c.peek().text) : nullptr;
  if (row == nullptr) {
    std::vector<std::string_view> names;
    for (const Row& known : table()) names.push_back(known.name);
    Error error = c.expected("an instruction");
    error.remedy = did_you_mean(c.peek().text, names);
    return error;
  }
  c.step();
  Instruction in;
  in.op = row->op;
  while ((row->queues & on(in.queue)) == 0) in.queue = static_cast<Queue>(static_cast<int>(in.queue) + 1);
  in.operands.assign(row->operand_count(), no_view);
  for (size_t i = 0; i < row->field_count(); ++i) in.fields.push_back({row->fields[i].otherwise, false});
  if (row->op == Opcode::loop) {
    HADAL_CHECK(loop(c, in));
  } else if (row->op == Opcode::let) {
    HADAL_CHECK(let(c, *row, in));
  } else {
    if (c.accept("on")) {
      const auto queue = queue_named(c.peek().text);
      if (!queue || (row->queues & on(*queue)) == 0)
        return c.fail("asm.unknown", fmt::format("{} does not run on a queue of this name", row->name));
      in.queue = *queue;
      c.step();
    } else if (row->op == Opcode::sync) {
      return c.expected("`on` and a queue");
    }
    if (c.accept("if")) {
      HADAL_TRY(in.predicate, c.register_number());
    }
    HADAL_CHECK(operands(c, *row, in));
    HADAL_CHECK(fields(c, *row, in));
    if (c.accept("wait")) HADAL_CHECK(syncs(c, in.waits));
    if (c.accept("signal")) HADAL_CHECK(syncs(c, in.signals));
  }
  program_.code.push_back(std::move(in));
  program_.source.push_back(layer_);
  program_.lines.push_back(line_);
  return {};
}

}  // namespace hadal::isa
