// Runs back to back, after a cold one.
#pragma once

#include "runtime/session.h"

namespace hadal::runtime {

/// Computes the values request.repeat times; the cold run before was the warm-up. Errors: those of the machine.
Status repeat_values(machine::ValueMachine& machine, const std::vector<Tensor>& inputs, const Request& request,
                     Repeats& repeats);

/// Simulated times of as many runs. Each is launched while the one before it goes on.
void repeat_timing(const chip::Chip& chip, const machine::Timing& timing, const Request& request, Repeats& repeats);

}  // namespace hadal::runtime
