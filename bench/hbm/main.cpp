// bench_hbm FILE.csv... [--memory exact|fast] [--json]: the memory model against reference rows.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/hbm/rows.h"
#include "bench/hbm/speed.h"
#include "bench/row_json.h"
#include "bench/summary.h"
#include "memory/files.h"
#include "memory/replay.h"

namespace hadal::bench {
namespace {

nlohmann::json json_of(const Errors& errors) {
  return {{"mean", errors.mean()}, {"max", std::fabs(errors.largest)}, {"rows", errors.rows}};
}

struct Summary {
  Errors bandwidth, latency;
  int exact = 0;  ///< Rows with the very cycles.
  std::map<std::string, int> skipped;
};

double percent_off(double predicted, double measured) { return measured == 0 ? 0 : 100 * (predicted / measured - 1); }

/// One row's prediction.
nlohmann::json predicted(const Case& found, const memory::Replayed& got) {
  const double tick = found.device.tick_seconds(), seconds = static_cast<double>(got.ticks) * tick;
  nlohmann::json figures = {
      {"seconds", seconds}, {"cycles", got.ticks}, {"bandwidth_GBps", static_cast<double>(got.bytes) / seconds / 1e9}};
  if (found.measured_latency_ns > 0) figures["mean_latency_ns"] = got.mean_latency * tick * 1e9;
  return figures;
}

/// Its errors into a summary.
void judge(const Case& found, const memory::Replayed& got, Summary& into) {
  const auto cycles = static_cast<double>(got.ticks);
  into.exact += cycles == found.measured_cycles ? 1 : 0;
  into.bandwidth.add(percent_off(found.measured_cycles, cycles));
  if (found.measured_latency_ns > 0)
    into.latency.add(percent_off(got.mean_latency * found.device.tick_seconds() * 1e9, found.measured_latency_ns));
}

void print_line(const std::string& name, const Summary& s) {
  fmt::print("{:<28} {:>5} {:>6}   {:>7.3f} {:>7.2f}   {:>7.3f} {:>7.2f}\n", name, s.bandwidth.rows, s.exact,
             s.bandwidth.mean(), std::fabs(s.bandwidth.largest), s.latency.mean(), std::fabs(s.latency.largest));
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
    HADAL_TRY(const Table table, Table::read(file));
    Summary& summary = files[file.substr(file.rfind('/') + 1)];
    for (const Table::Line& line : table.lines()) {
      const Row row(table, line);
      auto found = case_of(row, devices);
      if (!found) {
        if (found.error().code != "bench.uncovered") return std::move(found).error();
        ++summary.skipped[found.error().message];
        continue;
      }
      HADAL_TRY(const memory::Replayed got, memory::replay(found->device, found->traffic, flags.memory == "fast"));
      judge(*found, got, all);
      judge(*found, got, summary);
      const nlohmann::json figures = predicted(*found, got);
      if (flags.verbose && static_cast<double>(got.ticks) != found->measured_cycles)
        fmt::print("{}: {} cycles, measured {}\n", row.place(), got.ticks, found->measured_cycles);
      if (flags.json) rows.push_back({{"measured", measured(row)}, {"predicted", figures}});
    }
  }
  if (flags.json) {
    nlohmann::json skipped = nlohmann::json::object();
    for (const auto& [name, summary] : files)
      for (const auto& [what, count] : summary.skipped) skipped[what] = skipped.value(what, 0) + count;
    const nlohmann::json out = {{"rows", rows},
                                {"mean_abs_error_percent", all.bandwidth.mean()},
                                {"bandwidth_error_percent", json_of(all.bandwidth)},
                                {"latency_error_percent", json_of(all.latency)},
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
