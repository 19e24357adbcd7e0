// A run's report as a person reads it on a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "report/facts.h"

namespace hadal::report {

/// Layers shown where the user does not say.
inline constexpr size_t usual_layers = 15;

/// `layers_most`: the layers with the most cycles that the table shows, in the model's order.
std::string summary_of(const runtime::Request& request, const runtime::Outcome& outcome, const Facts& facts,
                       size_t layers_most = usual_layers);

/// The outputs' part: type, shape, top classes of 1xN outputs, else the range of the values.
std::string outputs_text(const runtime::Outcome& outcome);

/// What a check without findings looked at, on a line.
std::string checked_text(const machine::Checked& checked);

}  // namespace hadal::report
