#include "debug/breakpoints.h"

#include <algorithm>
#include <cmath>

#include "base/suggest.h"
#include "debug/words.h"
#include "isa/check.h"
#include "machine/check/bytes.h"

namespace hadal::debug {

namespace {

using Kind = Breakpoint::Kind;

Result<Breakpoint> at_instruction(const std::string& text, const isa::Program& program) {
  HADAL_TRY(const int64_t number, whole_number(text, 0, std::ssize(program.code) - 1));
  const isa::Instruction& in = program.code[static_cast<size_t>(number)];
  if (in.queue == isa::Queue::sequencer)
    return Error{"debug.break",
                 fmt::format("instruction {} is the sequencer's own, which is no step", number),
                 {},
                 "take one of an engine behind it"};
  return Breakpoint{.kind = Kind::instruction, .instructions = {static_cast<size_t>(number)}};
}

/// "folder/matmul.py:", of "folder/matmul.py:12".
std::string_view file_of(std::string_view line) { return line.substr(0, line.rfind(':') + 1); }

/// All instructions of a line: a loop of Python leaves several.
Result<Breakpoint> at_line(const std::string& text, const isa::Program& program) {
  if (program.lines.empty())
    return Error{"debug.break",
                 "the program does not tell the lines of a source text",
                 {},
                 "debug its text: hadal dis PROGRAM -o FILE.hasm"};
  const std::string_view file = file_of(text);
  HADAL_TRY(const int64_t line, whole_number(std::string_view(text).substr(file.size()), 1, INT32_MAX));
  Breakpoint out{.kind = Kind::instruction};
  int64_t next = INT64_MAX;
  for (size_t i = 0; i < program.code.size(); ++i) {
    if (program.code[i].queue == isa::Queue::sequencer || !file_of(program.lines[i]).ends_with(file)) continue;
    const int64_t found = line_number(program, i);
    if (found == line) out.instructions.push_back(i);
    if (found > line) next = std::min(next, found);
  }
  if (!out.instructions.empty()) return out;
  return Error{"debug.break",
               fmt::format("no engine's instruction stands in line {}", printable(text, 200)),
               {},
               next == INT64_MAX ? "" : fmt::format("the next that has one is line {}", next)};
}

Result<Breakpoint> at_address(const std::string& text, const isa::Program& program) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos)
    return Error{"debug.break",
                 fmt::format("an address is SPACE:FIRST or SPACE:FIRST-LAST, found \"{}\"", printable(text, 80)),
                 {},
                 "such as scratchpad:0-4095"};
  Breakpoint out{.kind = Kind::address};
  const std::string space = unquoted(text.substr(0, colon)), bytes = text.substr(colon + 1);
  if (space != "scratchpad") {
    const auto region = std::ranges::find(program.regions, space, &isa::Region::name);
    if (region == program.regions.end()) {
      std::vector<std::string_view> names{"scratchpad"};
      for (const isa::Region& each : program.regions) names.push_back(each.name);
      return Error{"debug.name",
                   fmt::format("no region is called \"{}\"", printable(space, 80)),
                   {},
                   did_you_mean(space, names)};
    }
    out.region = static_cast<uint16_t>(region - program.regions.begin());
  }
  const auto room =
      static_cast<int64_t>(out.region ? program.regions[*out.region].bytes : program.limits.scratchpad_bytes);
  const size_t dash = bytes.find('-');
  HADAL_TRY(out.first_byte, whole_number(bytes.substr(0, dash), 0, room - 1));
  out.last_byte = out.first_byte;
  if (dash != bytes.npos) {
    HADAL_TRY(out.last_byte, whole_number(bytes.substr(dash + 1), out.first_byte, room - 1));
  }
  return out;
}

/// "core 3, instruction 17 of conv1".
std::string place(const isa::Program& program, const machine::Executed& executed) {
  return fmt::format("core {}, {}", executed.core, isa::place_of(program, executed.instruction));
}

std::optional<std::string> written_bytes(const Breakpoint& breakpoint, const isa::Program& program,
                                         const machine::Executed& executed, const machine::check::Access& access) {
  const bool local = access.box->space == isa::Space::scratchpad;
  if (local == breakpoint.region.has_value() || (!local && access.box->region != *breakpoint.region)) return {};
  std::optional<int64_t> hit;
  access.runs.each([&](int64_t begin) {
    if (!hit && begin <= breakpoint.last_byte && begin + access.runs.bytes > breakpoint.first_byte) hit = begin;
  });
  if (!hit) return {};
  return fmt::format("{} wrote bytes {} to {} of {}", place(program, executed), *hit, *hit + access.runs.bytes - 1,
                     local ? "its scratchpad" : printable(program.regions[access.box->region].name));
}

std::optional<std::string> written_nan(const isa::Program& program, const machine::Executed& executed,
                                       const machine::Stepper& stepper, const isa::Box& box) {
  if (!is_float(box.dtype)) return {};
  const std::byte* data = stepper.at(box, executed.core);
  std::array<int64_t, isa::rank_limit> at{}, first{};
  int64_t bad = 0;
  double value = 0;
  const int64_t elements = box.elements();
  for (int64_t i = 0; i < elements; ++i) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < box.rank; ++axis) offset += at[axis] * box.strides[axis];
    const double number = load_number(box.dtype, data + offset);
    if (!std::isfinite(number) && bad++ == 0) value = number, first = at;
    for (size_t axis = box.rank; axis-- > 0 && ++at[axis] == box.extents[axis];) at[axis] = 0;
  }
  if (bad == 0) return {};
  for (size_t axis = 0; axis < box.rank; ++axis) first[axis] += box.origins[axis];
  return fmt::format("{} wrote {} at {} of {}; not finite: {} of {} elements", place(program, executed), value,
                     text_of_index({first.begin(), first.begin() + box.rank}),
                     printable(program.tensors[box.tensor].name), bad, elements);
}

}  // namespace

int64_t line_number(const isa::Program& program, size_t instruction) {
  if (instruction >= program.lines.size()) return 0;
  const std::string_view line = program.lines[instruction];
  const auto number = whole_number(line.substr(file_of(line).size()), 1, INT32_MAX);
  return number ? *number : 0;
}

Result<Breakpoint> parse_breakpoint(std::string_view text, const isa::Program& program) {
  const auto [kind, rest] = first_word(text);
  Result<Breakpoint> out = Breakpoint{.kind = Kind::nan};
  if (kind == "instruction") {
    out = at_instruction(rest, program);
  } else if (kind == "line") {
    out = at_line(rest, program);
  } else if (kind == "node") {
    HADAL_TRY(const size_t layer, layer_named(program, unquoted(rest)));
    out = Breakpoint{.kind = Kind::node, .layer = layer};
  } else if (kind == "address") {
    out = at_address(rest, program);
  } else if (kind != "nan" || !rest.empty()) {
    return Error{
        "debug.break",
        fmt::format("no breakpoint is \"{}\"", printable(text, 80)),
        {},
        "break instruction N, break line [FILE:]N, break node NAME, break address SPACE:FIRST[-LAST], break nan"};
  }
  if (out) out->text = text;
  return out;
}

bool stops_before(const Breakpoint& breakpoint, const isa::Program& program, size_t instruction, const Layers& layers) {
  if (breakpoint.kind == Kind::instruction) return std::ranges::binary_search(breakpoint.instructions, instruction);
  return breakpoint.kind == Kind::node && layer_of(program, instruction) == breakpoint.layer &&
         program.code[instruction].queue != isa::Queue::prefetch && !layers.begun(breakpoint.layer);
}

std::optional<std::string> stop_behind(const Breakpoint& breakpoint, const isa::Program& program,
                                       const machine::Executed& executed, const machine::Stepper& stepper) {
  if (!executed.worked || (breakpoint.kind != Kind::address && breakpoint.kind != Kind::nan)) return {};
  const machine::Core& core = stepper.core(executed.core);
  for (const auto& access : machine::check::Accesses(program, *executed.in, core.sequencer(), core.boxes())) {
    if (!access.written) continue;
    auto hit = breakpoint.kind == Kind::address ? written_bytes(breakpoint, program, executed, access)
                                                : written_nan(program, executed, stepper, *access.box);
    if (hit) return hit;
  }
  return {};
}

}  // namespace hadal::debug
