#include "bench/noc/report.h"

#include "bench/row_json.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace hadal::bench {

namespace {

using Json = nlohmann::ordered_json;

/// Errors of some rows, in percent.
struct Errors {
  size_t rows = 0;
  double sum = 0, largest = 0;
  std::string worst;

  void add(const Finding& finding) {
    const double error = finding.outcome.comparison->error_percent();
    ++rows;
    sum += error;
    if (error >= largest) {
      const std::filesystem::path file = finding.row.table().file();
      worst = fmt::format("{}:{}", file.filename().string(), finding.row.line().number);
    }
    largest = std::max(largest, error);
  }
  [[nodiscard]] double mean() const { return rows > 0 ? sum / static_cast<double>(rows) : 0; }
};

/// Reason, and how many rows it stands for.
std::map<std::string, size_t> skipped(const std::vector<Finding>& findings) {
  std::map<std::string, size_t> counts;
  for (const Finding& finding : findings) {
    if (!finding.outcome.skipped.empty()) ++counts[finding.row.table().file() + ": " + finding.outcome.skipped];
  }
  return counts;
}

}  // namespace

std::string text_report(const std::vector<Finding>& findings) {
  std::vector<std::pair<std::string, Errors>> groups;
  Errors all;
  for (const Finding& finding : findings) {
    if (!finding.outcome.comparison) continue;
    auto group = std::ranges::find(groups, finding.outcome.group, &std::pair<std::string, Errors>::first);
    if (group == groups.end()) group = groups.insert(groups.end(), {finding.outcome.group, {}});
    group->second.add(finding);
    all.add(finding);
  }
  std::string text = fmt::format("{:40}{:>6}{:>9}{:>9}  worst\n", "", "rows", "mean", "largest");
  groups.emplace_back("all", std::move(all));
  for (const auto& [name, errors] : groups) {
    text += fmt::format("{:40}{:6}{:8.2f}%{:8.2f}%  {}\n", printable(name), errors.rows, errors.mean(), errors.largest,
                        errors.worst);
  }
  for (const auto& [reason, rows] : skipped(findings)) text += fmt::format("skipped {} rows: {}\n", rows, reason);
  return text;
}

std::string json_report(const std::vector<Finding>& findings) {
  Json rows = Json::array();
  Errors all;
  for (const Finding& finding : findings) {
    const Outcome& outcome = finding.outcome;
    if (!outcome.skipped.empty()) continue;
    Json row = {{"measured", measured(finding.row)}, {"predicted", Json::object()}};
    for (const auto& [field, value] : outcome.predicted) row["predicted"][field] = value;
    if (outcome.comparison) {
      row["compared"] = outcome.comparison->field;
      row["error_percent"] = outcome.comparison->error_percent();
      all.add(finding);
    }
    rows.push_back(std::move(row));
  }
  const Json report = {
      {"rows", std::move(rows)}, {"mean_abs_error_percent", all.mean()}, {"skipped", skipped(findings)}};
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hadal::bench
