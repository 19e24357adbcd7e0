// bench_hbm FILE.csv... [--memory exact|fast] [--json]: the memory model against reference rows.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "memory/files.h"
#include "memory/replay.h"
#include "rows.h"
#include "speed.h"

namespace hadal::bench {
namespace {

/// Mean and largest absolute error, in percent.
struct Errors {
  double sum = 0, max = 0;
  int rows = 0;
  void add(double percent) {
    sum += std::abs(percent);
    max = std::max(max, std::abs(percent));
    ++rows;
  }
  [[nodiscard]] double mean() const { return rows == 0 ? 0 : sum / rows; }
  [[nodiscard]] nlohmann::json json() const { return {{"mean", mean()}, {"max", max}, {"rows", rows}}; }
};

struct Summary {
  Errors bandwidth, latency;
  int exact = 0;  ///< Rows with the very cycles.
  std::map<std::string, int> skipped;
};

double percent_off(double predicted, double measured) { return measured == 0 ? 0 : 100 * (predicted / measured - 1); }

/// One row's prediction, and its errors into the summaries.
nlohmann::json judge(const Row& row, const Case& found, const memory::Replayed& got, Summary& into) {
  const double tick = found.device.tick_seconds();
  const double seconds = static_cast<double>(got.ticks) * tick;
  const double bandwidth = static_cast<double>(got.bytes) / seconds / 1e9;
  nlohmann::json predicted = {{"seconds", seconds}, {"cycles", got.ticks}, {"bandwidth_GBps", bandwidth}};
  into.exact += got.ticks == std::llround(number_of(row, "cycles")) ? 1 : 0;
  const double cycles = number_of(row, "cycles");
  into.bandwidth.add(percent_off(cycles, static_cast<double>(got.ticks)));
  const double latency = number_of(row, "mean_latency_ns");
  if (latency > 0) {
    predicted["mean_latency_ns"] = got.mean_latency * tick * 1e9;
    into.latency.add(percent_off(got.mean_latency * tick * 1e9, latency));
  }
  return predicted;
}

nlohmann::json measured_of(const Row& row) {
  nlohmann::json measured;
  for (const auto& [column, text] : row) {
    if (text.empty()) continue;
    const double value = number_of(row, column, NAN);
    if (std::isnan(value))
      measured[column] = text;
    else
      measured[column] = value;
  }
  return measured;
}

void print_line(const std::string& name, const Summary& s) {
  fmt::print("{:<28} {:>5} {:>6}   {:>7.3f} {:>7.2f}   {:>7.3f} {:>7.2f}\n", name, s.bandwidth.rows, s.exact,
             s.bandwidth.mean(), s.bandwidth.max, s.latency.mean(), s.latency.max);
  for (const auto& [what, count] : s.skipped) fmt::print("    {} rows skipped: {}\n", count, what);
}

struct Flags {
  std::vector<std::string> files;
  std::string memory = "exact";
  bool json = false, verbose = false, speed = false;
};

Status run(const Flags& flags) {
  if (flags.files.empty()) return {};
  std::vector<memory::Device> devices;
  for (const std::string& name : memory::shipped_memories()) {
    HADAL_TRY(memory::Device device, memory::load_memory(name));
    devices.push_back(std::move(device));
  }
  nlohmann::json rows = nlohmann::json::array();
  std::map<std::string, Summary> files;
  Summary all;
  for (const std::string& file : flags.files) {
    HADAL_TRY(const std::vector<Row> lines, read_rows(file));
    Summary& summary = files[file.substr(file.rfind('/') + 1)];
    for (const Row& row : lines) {
      auto found = case_of(row, devices);
      if (!found) {
        ++summary.skipped[found.error().message];
        continue;
      }
      HADAL_TRY(const memory::Replayed got, memory::replay(found->device, found->traffic, flags.memory == "fast"));
      judge(row, *found, got, all);
      const nlohmann::json predicted = judge(row, *found, got, summary);
      if (flags.verbose && got.ticks != std::llround(number_of(row, "cycles")))
        fmt::print("{} {} {} {} {} q{} {} w{} load{} pc{} ch{}: {} cycles, measured {}; latency {} measured {}\n",
                   row.at("preset"), row.at("mapping"), row.at("scheduler"), row.at("row_policy"), row.at("refresh"),
                   row.at("queue"), row.at("pattern"), row.at("window"), row.at("offered_load"),
                   row.at("pseudo_channels"), row.at("channels"), got.ticks, row.at("cycles"),
                   predicted.value("mean_latency_ns", 0.0), row.at("mean_latency_ns"));
      if (flags.json) rows.push_back({{"measured", measured_of(row)}, {"predicted", predicted}});
    }
  }
  if (flags.json) {
    nlohmann::json skipped = nlohmann::json::object();
    for (const auto& [name, summary] : files)
      for (const auto& [what, count] : summary.skipped) skipped[what] = skipped.value(what, 0) + count;
    const nlohmann::json out = {{"rows", rows},
                                {"mean_abs_error_percent", all.bandwidth.mean()},
                                {"bandwidth_error_percent", all.bandwidth.json()},
                                {"latency_error_percent", all.latency.json()},
                                {"skipped", skipped}};
    fmt::print("{}\n", out.dump(1));
    return {};
  }
  fmt::print("{:<28} {:>5} {:>6}   {:>15}   {:>15}\n", "", "rows", "exact", "bandwidth error", "latency error");
  fmt::print("{:<28} {:>5} {:>6}   {:>7} {:>7}   {:>7} {:>7}\n", flags.memory, "", "", "mean %", "max %", "mean %",
             "max %");
  for (const auto& [name, summary] : files) print_line(name, summary);
  return {};
}

}  // namespace
}  // namespace hadal::bench

int main(int argc, char** argv) {
  hadal::bench::Flags flags;
  CLI::App app{"The memory model against reference rows."};
  app.add_option("files", flags.files, "CSV files with the columns of the reference curves");
  app.add_option("--memory", flags.memory, "exact or fast")->check(CLI::IsMember({"exact", "fast"}));
  app.add_flag("--json", flags.json, "All rows, measured and predicted, as JSON");
  app.add_flag("--speed", flags.speed, "CPU time a GB of sequential streams, beside a calibration loop");
  app.add_flag("--verbose", flags.verbose, "Rows that differ, one a line");
  CLI11_PARSE(app, argc, argv);
  if (!flags.speed && flags.files.empty()) {
    fmt::print(stderr, "give CSV files, or --speed\n");
    return 2;
  }
  auto status = flags.speed ? hadal::bench::print_speed(flags.memory == "fast") : hadal::Status{};
  if (status.ok()) status = hadal::bench::run(flags);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().text());
  return status.ok() ? 0 : 1;
}
