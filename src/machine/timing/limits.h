// Whether a chip is large enough for a program.
#pragma once

#include "base/result.h"
#include "chip/chip.h"
#include "isa/program.h"

namespace hadal::machine {

/// Errors limits.cores, .scratchpad_bytes, .accumulator_bytes, .memory_bytes, .vector_lanes, .matrix_types: the chip
/// has less than the program needs.
Status meets_limits(const isa::Program& program, const chip::Chip& chip);

}  // namespace hadal::machine
