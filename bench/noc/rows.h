// Rows of measured figures, and what our models predict for them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "bench/table.h"

namespace hadal::bench {

/// A predicted figure beside the measured one.
struct Comparison {
  std::string field;
  double predicted = 0, measured = 0;
  /// |predicted - measured| / measured, in percent.
  [[nodiscard]] double error_percent() const;
};

struct Outcome {
  std::string group;                                           ///< Rows that are listed together.
  std::vector<std::pair<std::string, double>> predicted = {};  ///< By name of the field.
  std::optional<Comparison> comparison = {};                   ///< None: nothing was measured that applies.
  std::string skipped = {};                                    ///< Why there is no prediction; empty: there is one.
};

enum class Level { flit, flow };

/// A kind of rows, known by the columns that only it has.
struct RowKind {
  std::string_view name;
  std::vector<std::string_view> columns;
  Result<Outcome> (*predict)(const Row& row, Level level);
};

Result<Outcome> predict_network(const Row& row, Level level);
Result<Outcome> predict_links(const Row& row, Level level);
Result<Outcome> predict_chunked(const Row& row, Level level);

/// Errors: table.kind, and those of the rows.
Result<const RowKind*> kind_of(const Table& table);

}  // namespace hadal::bench
