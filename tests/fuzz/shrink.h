// Makes a failing program smaller.
#pragma once

#include <functional>

#include "fuzz/well_formed.h"

namespace hadal::fuzz {

/// Leaves out outputs, layers, loops, trips, instructions and their operations while `fails` still holds; calls it at
/// most `budget` times.
WellFormed shrunk(WellFormed made, const std::function<bool(const WellFormed&)>& fails, int budget = 2000);

}  // namespace hadal::fuzz
