#include "bench/operators/report.h"

#include <map>
#include <nlohmann/json.hpp>

#include "bench/row_json.h"
#include "bench/summary.h"

namespace hadal::bench {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Errors& errors) {
  return errors.rows > 0 ? fmt::format("{:8.1f}{:+9.1f}", errors.mean(), errors.largest)
                         : fmt::format("{:>8}{:>9}", "-", "-");
}

struct Pair {
  size_t rows = 0;
  Errors like_it, free;
  void add(const Finding& finding) {
    ++rows;
    if (finding.like_it) like_it.add(finding.error_percent(*finding.like_it));
    if (finding.free) free.add(finding.error_percent(*finding.free));
  }
};

Skipped skipped(const std::vector<Finding>& findings) {
  Skipped counts;
  for (const Finding& finding : findings)
    if (!finding.skipped.empty()) ++counts[finding.skipped];
  return counts;
}

Json json_of(const Prediction& prediction) { return {{"seconds", prediction.seconds}, {"cycles", prediction.cycles}}; }

std::string line_of(const Finding& finding) {
  const auto figure = [&](const std::optional<Prediction>& prediction) {
    return prediction ? fmt::format("{:11.2f}{:+8.1f}%", prediction->seconds * 1e6, finding.error_percent(*prediction))
                      : fmt::format("{:>11}{:>9}", "-", "-");
  };
  std::string shape;
  for (const std::string_view column :
       {"shape", "config", "phase", "batch", "m", "k", "n", "rows", "cols", "tokens", "hidden", "intermediate",
        "q_heads_x_batch", "kv_heads_x_batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim"})
    if (const auto text = finding.row.text(column); text) shape += (shape.empty() ? "" : " ") + *text;
  return fmt::format("{:9}{:12}{:32}{:11.2f} us {} {}\n", finding.chip, finding.op, shape,
                     finding.measured_seconds * 1e6, figure(finding.like_it), figure(finding.free));
}

}  // namespace

std::string text_report(const std::vector<Finding>& findings, bool rows) {
  std::string text;
  std::map<std::string, std::map<std::string, Pair>> groups;  // The empty op: all of a chip.
  for (const Finding& finding : findings) {
    if (!finding.skipped.empty()) continue;
    if (rows) text += line_of(finding);
    groups[finding.chip][finding.op].add(finding);
    groups[finding.chip][""].add(finding);
  }
  text += fmt::format("{:30}{:>17}   {:>17}\n", "error, %", "with its profile", "without");
  text += fmt::format("{:24}{:>6}{:>8}{:>9}   {:>8}{:>9}\n", "", "rows", "mean", "largest", "mean", "largest");
  for (const auto& [chip, ops] : groups) {
    for (const auto& [op, pair] : ops)
      if (!op.empty())
        text +=
            fmt::format("{:24}{:6}{}   {}\n", chip + " " + op, pair.rows, text_of(pair.like_it), text_of(pair.free));
    const Pair& all = ops.at("");
    text += fmt::format("{:24}{:6}{}   {}\n", chip + ", all", all.rows, text_of(all.like_it), text_of(all.free));
  }
  return text + text_of(skipped(findings));
}

std::string json_report(const std::vector<Finding>& findings) {
  Json rows = Json::array();
  Errors all;
  for (const Finding& finding : findings) {
    if (!finding.skipped.empty()) continue;
    Json row = {{"measured", measured(finding.row)}};
    const Prediction& prediction = finding.like_it ? *finding.like_it : *finding.free;
    row["predicted"] = json_of(prediction);
    if (finding.free) row["without_profile"] = json_of(*finding.free);
    row["error_percent"] = finding.error_percent(prediction);
    all.add(finding.error_percent(prediction));
    rows.push_back(std::move(row));
  }
  return json_text(std::move(rows), all, skipped(findings));
}

}  // namespace hadal::bench
