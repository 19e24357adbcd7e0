#include "bench/summary.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace hadal::bench {

std::string text_of(const Skipped& skipped) {
  std::string text;
  for (const auto& [reason, rows] : skipped) text += fmt::format("skipped {} rows: {}\n", rows, reason);
  return text;
}

std::string json_text(nlohmann::ordered_json rows, const Errors& errors, const Skipped& skipped) {
  using Json = nlohmann::ordered_json;
  const Json report = {{"rows", std::move(rows)}, {"mean_abs_error_percent", errors.mean()}, {"skipped", skipped}};
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int print(const Result<std::string>& report) {
  if (report)
    fmt::print("{}", *report);
  else
    fmt::print(stderr, "{}", report.error().text());
  return report ? 0 : 1;
}

}  // namespace hadal::bench
