// What stops a run: an instruction or a layer that is about to be executed, bytes or numbers that were written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "debug/layers.h"
#include "isa/program.h"
#include "machine/functional/stepper.h"

namespace hadal::debug {

struct Breakpoint {
  enum class Kind : uint8_t { instruction, node, address, nan } kind = Kind::nan;
  int number = 0;
  std::string text = {};                   ///< As it was asked for.
  std::vector<size_t> instructions = {};   ///< Of instruction: in ascending order.
  size_t layer = 0;                        ///< Of node.
  std::optional<uint16_t> region = {};     ///< Of address; none: the scratchpads.
  int64_t first_byte = 0, last_byte = -1;  ///< Of address.
};

/// The line of the source text that an instruction stands in; 0: it is not told.
int64_t line_number(const isa::Program& program, size_t instruction);

/// Reads "instruction N", "line [FILE:]N", "node NAME", "address SPACE:FIRST[-LAST]" or "nan". FILE is that of a source
/// text, and may be left out; SPACE is a region, or scratchpad. Errors: debug.break, debug.name, debug.number.
Result<Breakpoint> parse_breakpoint(std::string_view text, const isa::Program& program);

/// Whether a breakpoint stops a run before that instruction.
bool stops_before(const Breakpoint& breakpoint, const isa::Program& program, size_t instruction, const Layers& layers);

/// What stops a run behind an instruction that has just been executed; none: it goes on.
std::optional<std::string> stop_behind(const Breakpoint& breakpoint, const isa::Program& program,
                                       const machine::Executed& executed, const machine::Stepper& stepper);

}  // namespace hadal::debug
