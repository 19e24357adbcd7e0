// Kinds of reductions, in the order of the instruction table.
#pragma once

#include <cstdint>

namespace hadal::machine {

enum class ReduceKind : uint8_t { sum, mean, max, min, prod, sum_square, l1, l2, log_sum, log_sum_exp };

}  // namespace hadal::machine
