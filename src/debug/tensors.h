// Tensors of a program that is stopped: found by name, sliced as in Python, printed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "isa/program.h"
#include "machine/functional/stepper.h"

namespace hadal::debug {

/// What `print EXPRESSION` shows: NAME, or NAME[slice] with an integer, or FIRST:END:STEP, for each axis; missing axes
/// are whole. NAME is that of a tensor, #N its number. A scratchpad's buffer is the core's, a vector of its elements.
/// Errors: debug.name, debug.slice.
Result<std::string> print_tensor(const isa::Program& program, const machine::Stepper& stepper, size_t core,
                                 std::string_view expression);

/// All tensors that have a name: number, type, extents, and where they lie.
std::string list_tensors(const isa::Program& program);

}  // namespace hadal::debug
