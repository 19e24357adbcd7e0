// What bench_noc prints.
#pragma once

#include <string>
#include <vector>

#include "bench/noc/rows.h"

namespace hadal::bench {

struct Finding {
  Row row;
  Outcome outcome;
};

/// A table by file and group: rows, mean and largest error; then the skipped rows by reason.
std::string text_report(const std::vector<Finding>& findings);
/// {"rows": [{"measured", "predicted", "error_percent"?}], "mean_abs_error_percent", "skipped": {reason: rows}}
std::string json_report(const std::vector<Finding>& findings);

}  // namespace hadal::bench
