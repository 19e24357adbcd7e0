// What bench_silicon prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/operators/predict.h"
#include "bench/operators/rows.h"

namespace hadal::bench {

struct Finding {
  Row row;
  std::string chip, op, skipped;
  double measured_seconds = 0;
  std::optional<Prediction> like_it;  ///< With the schedules of the measured software.
  std::optional<Prediction> free;     ///< With the compiler's own.

  /// Signed, in percent of what was measured.
  [[nodiscard]] double error_percent(const Prediction& prediction) const {
    return 100 * (prediction.seconds / measured_seconds - 1);
  }
};

/// Mean and largest errors by chip and operator, with and without the software's profile; then what was skipped. With
/// `rows`, a line for each before.
std::string text_report(const std::vector<Finding>& findings, bool rows);
/// {"rows": [{"measured", "predicted", "without_profile"}], "mean_abs_error_percent", "skipped": {reason: rows}}
std::string json_report(const std::vector<Finding>& findings);

}  // namespace hadal::bench
