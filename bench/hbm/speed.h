// What the model costs: CPU time for moving data, beside a loop that every machine has alike.
#pragma once

#include "base/result.h"

namespace hadal::bench {

/// Prints CPU seconds a GB (1e9 B) of sequential streams for every shipped memory, and of 1e9 steps of splitmix64.
/// Errors: memory.*.
Status print_speed(bool fast);

}  // namespace hadal::bench
