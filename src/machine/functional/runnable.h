// What is asked of a program before any machine computes its values.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::machine {

/// Errors: run.cores, fewer than the program needs; region.C2, an instruction that writes inputs or weights.
Status check_runnable(const isa::Program& program, int64_t cores);

}  // namespace hadal::machine
