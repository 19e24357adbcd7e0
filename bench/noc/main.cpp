// bench_noc: the network models beside the figures of other simulators, read from tables of rows.
#include <CLI/CLI.hpp>
#include <optional>
#include <thread>

#include "base/parallel.h"
#include "bench/noc/report.h"
#include "bench/summary.h"

namespace hadal::bench {

namespace {

struct Flags {
  std::vector<std::string> files;
  bool json = false;
  Level level = Level::flit;
};

/// Predicts rows, each on one of the host's threads.
Result<std::vector<Finding>> predict(const std::vector<Table>& tables, Level level) {
  std::vector<Row> rows;
  std::vector<const RowKind*> kinds;
  for (const Table& table : tables) {
    HADAL_TRY(const RowKind* const kind, kind_of(table));
    for (const Table::Line& line : table.lines()) {
      rows.emplace_back(table, line);
      kinds.push_back(kind);
    }
  }
  std::vector<std::optional<Result<Outcome>>> outcomes(rows.size());
  for_each_index(rows.size(), std::thread::hardware_concurrency(),
                 [&](size_t i) { outcomes[i] = kinds[i]->predict(rows[i], level); });
  std::vector<Finding> findings;
  for (size_t i = 0; i < rows.size(); ++i) {
    HADAL_TRY(Outcome outcome, *std::move(outcomes[i]));
    findings.push_back({rows[i], std::move(outcome)});
  }
  return findings;
}

Result<std::string> run(const Flags& flags) {
  HADAL_TRY(const std::vector<Table> tables, read_tables(flags.files));
  HADAL_TRY(const std::vector<Finding> findings, predict(tables, flags.level));
  return flags.json ? json_report(findings) : text_report(findings);
}

}  // namespace

}  // namespace hadal::bench

int main(int argc, char** argv) {
  using namespace hadal::bench;
  CLI::App app{"Compares the network models with measured rows: runs of BookSim 2, collectives of ASTRA-sim.",
               "bench_noc"};
  Flags flags;
  app.add_option("FILE", flags.files, "Tables of comma-separated values")->required();
  app.add_flag("--json", flags.json, "Every row, as JSON");
  app.add_option("--noc", flags.level, "How meshes and tori are modelled: flit by flit, or as whole messages")
      ->transform(CLI::Transformer(std::map<std::string, Level>{{"flit", Level::flit}, {"flow", Level::flow}}))
      ->option_text("flit|flow");
  CLI11_PARSE(app, argc, argv);
  return print(run(flags));
}
