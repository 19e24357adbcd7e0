// Numbers in JSON.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

namespace hadal::report {

/// JSON has no infinity.
inline nlohmann::ordered_json finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace hadal::report
