#include "bench/noc/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "bench/row_json.h"
#include "bench/summary.h"

namespace hadal::bench {

namespace {

using Json = nlohmann::ordered_json;

/// A group's errors, and where the largest is.
struct Group {
  Errors errors;
  std::string worst;
  void add(const Finding& finding) {
    if (!errors.add(finding.outcome.comparison->error_percent())) return;
    const std::filesystem::path file = finding.row.table().file();
    worst = fmt::format("{}:{}", file.filename().string(), finding.row.line().number);
  }
};

Skipped skipped(const std::vector<Finding>& findings) {
  Skipped counts;
  for (const Finding& finding : findings)
    if (!finding.outcome.skipped.empty()) ++counts[finding.row.table().file() + ": " + finding.outcome.skipped];
  return counts;
}

}  // namespace

std::string text_report(const std::vector<Finding>& findings) {
  std::vector<std::pair<std::string, Group>> groups;
  Group all;
  for (const Finding& finding : findings) {
    if (!finding.outcome.comparison) continue;
    auto group = std::ranges::find(groups, finding.outcome.group, &std::pair<std::string, Group>::first);
    if (group == groups.end()) group = groups.insert(groups.end(), {finding.outcome.group, {}});
    group->second.add(finding);
    all.add(finding);
  }
  std::string text = fmt::format("{:40}{:>6}{:>9}{:>9}  worst\n", "", "rows", "mean", "largest");
  groups.emplace_back("all", std::move(all));
  for (const auto& [name, group] : groups) {
    text += fmt::format("{:40}{:6}{:8.2f}%{:8.2f}%  {}\n", printable(name), group.errors.rows, group.errors.mean(),
                        group.errors.largest, group.worst);
  }
  return text + text_of(skipped(findings));
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
      all.add(outcome.comparison->error_percent());
    }
    rows.push_back(std::move(row));
  }
  return json_text(std::move(rows), all, skipped(findings));
}

}  // namespace hadal::bench
