// How many instructions one run may execute.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::isa {

/// Of all cores together; beyond it a run ends in run.budget. A large language model's program executes a thousandth.
inline constexpr uint64_t instruction_budget = uint64_t{1} << 28;

/// At least so many instructions the program executes on all cores: loops whose count is a constant, run out.
uint64_t least_instructions(const Program& program);

/// Refuses, before it runs, a program that cannot end within the budget: run.budget.
Status check_budget(const Program& program);

}  // namespace hadal::isa
