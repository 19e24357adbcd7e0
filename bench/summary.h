// What programs that compare tables have in common: errors, and what they print at the end.
#pragma once

#include <cmath>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"

namespace hadal::bench {

/// Errors of some rows, in percent.
struct Errors {
  size_t rows = 0;
  double sum = 0;      ///< Of their sizes.
  double largest = 0;  ///< The one of the largest size, with its sign.

  /// Whether none before was larger.
  bool add(double percent) {
    ++rows;
    sum += std::fabs(percent);
    const bool most = std::fabs(percent) >= std::fabs(largest);
    if (most) largest = percent;
    return most;
  }
  [[nodiscard]] double mean() const { return rows > 0 ? sum / static_cast<double>(rows) : 0; }
};

/// Reason, and how many rows were skipped for it.
using Skipped = std::map<std::string, size_t>;
std::string text_of(const Skipped& skipped);

/// {"rows", "mean_abs_error_percent", "skipped": {reason: rows}} as text.
std::string json_text(nlohmann::ordered_json rows, const Errors& errors, const Skipped& skipped);

/// Prints a report, or the error in its place; returns the exit code.
int print(const Result<std::string>& report);

}  // namespace hadal::bench
