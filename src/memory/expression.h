// Delays as a description writes them: "tCWL + tBL + tWTRS", "tCL + tBL + 2 - tCWL".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "memory/device.h"

namespace hadal::memory {

/// A sum of parameters and whole numbers, in clocks. Errors: memory.constraint, without a place.
Result<int64_t> evaluate(std::string_view sum, const std::map<std::string, int64_t, std::less<>>& parameters);

/// The constraints of one line, "RD RDA -> WR WRA" or "4 ACT -> ACT", with its delay in clocks; lengths of commands do
/// not count yet. Errors: memory.constraint, without a place.
Result<std::vector<Constraint>> read_constraint(std::string_view line, Scope scope, int64_t clocks);

}  // namespace hadal::memory
