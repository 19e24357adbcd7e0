// bench_silicon FILE.csv... [--json]: times of real devices beside those of the compiler and the timing machine.
#include <CLI/CLI.hpp>
#include <thread>

#include "base/parallel.h"
#include "bench/operators/report.h"
#include "bench/summary.h"

namespace hadal::bench {

namespace {

struct Flags {
  std::vector<std::string> files;
  bool json = false, rows = false;
  std::string schedules = "both";
};

Result<Finding> find(const Row& row, const Flags& flags) {
  HADAL_TRY(const Call call, call_of(row));
  Finding finding{row, call.chip, call.op, call.skipped, call.measured_seconds, {}, {}};
  if (!call.skipped.empty()) return finding;
  HADAL_TRY(const chip::Chip chip, chip::load_chip(call.chip));
  const auto set = [&](std::optional<Prediction>& to, const compile::Profile* profile) -> Status {
    auto prediction = predict(call.graph, chip, profile);
    if (!prediction) return Error{"bench.row", std::move(prediction).error().text(), row.place()};
    to = *prediction;
    return {};
  };
  if (!call.profile.empty() && flags.schedules != "own") {
    HADAL_TRY(const compile::Profile profile, compile::load_profile(call.profile));
    HADAL_CHECK(set(finding.like_it, &profile));
  }
  if (flags.schedules != "profile") HADAL_CHECK(set(finding.free, nullptr));
  return finding;
}

/// Each row on one of the host's threads.
Result<std::vector<Finding>> find_all(const std::vector<Table>& tables, const Flags& flags) {
  std::vector<Row> rows;
  for (const Table& table : tables)
    for (const Table::Line& line : table.lines()) rows.emplace_back(table, line);
  std::vector<std::optional<Result<Finding>>> found(rows.size());
  for_each_index(rows.size(), std::thread::hardware_concurrency(), [&](size_t i) { found[i] = find(rows[i], flags); });
  std::vector<Finding> out;
  for (auto& finding : found) {
    HADAL_TRY(Finding one, *std::move(finding));
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::string> run(const Flags& flags) {
  HADAL_TRY(const std::vector<Table> tables, read_tables(flags.files));
  HADAL_TRY(const std::vector<Finding> findings, find_all(tables, flags));
  return flags.json ? json_report(findings) : text_report(findings, flags.rows);
}

}  // namespace

}  // namespace hadal::bench

int main(int argc, char** argv) {
  using namespace hadal::bench;
  CLI::App app{"Compares simulated times with those of real devices.", "bench_silicon"};
  Flags flags;
  app.add_option("FILE", flags.files, "Tables of comma-separated values")->required();
  app.add_flag("--json", flags.json, "Every row, as JSON");
  app.add_flag("--rows", flags.rows, "Every row, as text");
  app.add_option("--schedules", flags.schedules, "Those of the device's profile, the compiler's own, or both (default)")
      ->check(CLI::IsMember({"profile", "own", "both"}))
      ->option_text("profile|own|both");
  CLI11_PARSE(app, argc, argv);
  return print(run(flags));
}
