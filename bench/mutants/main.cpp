// bench_mutants MODEL... [--chip NAME]...: takes synchronisations out of models and programs, one at a time, and asks
// the check. Exits with 1 where a mutant that it did not find changes a value.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <random>

#include "base/parallel.h"
#include "bench/mutants/trial.h"
#include "bench/summary.h"
#include "machine/check/run.h"
#include "runtime/load.h"
#include "runtime/resources.h"

namespace hadal::bench {

namespace {

struct Flags {
  std::vector<std::string> models, chips;
  size_t most = 400;
  uint64_t seed = 0;
  bool demonstrate = false;
};

struct Counts {
  size_t mutants = 0, changed = 0;
  void add(const Trial& trial) {
    ++mutants;
    changed += trial.changes ? 1 : 0;
  }
};

/// By kind of mutant, of each verdict.
using Table = std::map<std::string, std::array<Counts, 4>>;

struct Subject {
  isa::Program program;
  std::vector<Tensor> inputs, values;
};

Result<Subject> subject_of(const std::string& model, const std::optional<std::string>& chip) {
  runtime::Source source{.file = model, .chip = chip, .profile = {}, .precision = {}};
  source.memory_limit = runtime::usable_memory();
  source.threads = runtime::usable_cpus();
  HADAL_TRY(runtime::Loaded loaded, runtime::load(source));
  Subject subject{std::move(loaded.program), {}, {}};
  HADAL_TRY(const machine::Checked checked, machine::check_program(subject.program, subject.program.limits.cores));
  HADAL_CHECK(machine::status_of(subject.program, checked));
  HADAL_TRY(subject.inputs, some_inputs(subject.program, 0));
  HADAL_TRY(subject.values, usual_values(subject.program, subject.inputs));
  return subject;
}

Status try_all(const Subject& subject, const Flags& flags, Table& table) {
  std::vector<Mutant> mutants = mutants_of(subject.program);
  std::mt19937_64 random(flags.seed);
  std::ranges::shuffle(mutants, random);
  mutants.resize(std::min(mutants.size(), flags.most));
  std::vector<std::optional<Result<Trial>>> trials(mutants.size());
  for_each_index(mutants.size(), static_cast<size_t>(runtime::usable_cpus()), [&](size_t i) {
    trials[i] = try_mutant(subject.program, mutants[i], subject.inputs, subject.values, flags.seed, flags.demonstrate);
  });
  for (size_t i = 0; i < mutants.size(); ++i) {
    HADAL_TRY(const Trial trial, *std::move(trials[i]));
    table[mutants[i].kind][static_cast<size_t>(trial.verdict)].add(trial);
    if (trial.changes && trial.verdict != Verdict::race)
      fmt::print(stderr, "{} of instruction {} changes a value, and is not found to\n", mutants[i].kind,
                 mutants[i].instruction);
  }
  return {};
}

std::string text_of(const Table& table, bool demonstrate) {
  constexpr auto row = "{:<22}{:>9}{:>9}{:>10}{:>9}{:>10}{:>15}{:>9}\n";
  std::string out =
      fmt::format(row, "", "mutants", "race", "deadlock", "counts", "no effect", "values changed", "missed");
  std::array<size_t, 6> sums{};
  const auto line = [&](const std::string& name, const std::array<size_t, 6>& n) {
    const std::string shown = demonstrate ? fmt::format("{} of {}", n[4], n[0]) : "-";
    return fmt::format(row, name, n[0] + n[1] + n[2] + n[3], n[0], n[1], n[2], n[3], shown, n[5]);
  };
  for (const auto& [kind, verdicts] : table) {
    std::array<size_t, 6> n{};
    for (size_t v = 0; v < 4; ++v) n[v] = verdicts[v].mutants;
    n[4] = verdicts[0].changed;
    n[5] = verdicts[1].changed + verdicts[2].changed + verdicts[3].changed;
    for (size_t i = 0; i < n.size(); ++i) sums[i] += n[i];
    out += line(kind, n);
  }
  return out + line("all", sums);
}

size_t missed(const Table& table) {
  size_t sum = 0;
  for (const auto& [kind, verdicts] : table)
    for (size_t v = 1; v < 4; ++v) sum += verdicts[v].changed;
  return sum;
}

Result<std::string> run(const Flags& flags, bool& found_all) {
  Table table;
  std::string out;
  std::vector<std::optional<std::string>> chips(flags.chips.begin(), flags.chips.end());
  if (chips.empty()) chips.emplace_back();
  for (const auto& chip : chips)
    for (const std::string& model : flags.models) {
      HADAL_TRY(const Subject subject, subject_of(model, chip));
      Table own;
      HADAL_CHECK(try_all(subject, flags, own));
      size_t mutants = 0;
      for (const auto& [kind, verdicts] : own)
        for (size_t v = 0; v < 4; ++v) {
          mutants += verdicts[v].mutants;
          table[kind][v].mutants += verdicts[v].mutants;
          table[kind][v].changed += verdicts[v].changed;
        }
      out += fmt::format("{} on {} ({} cores): {} mutants, {} missed\n", std::filesystem::path(model).stem().string(),
                         subject.program.chip, subject.program.limits.cores, mutants, missed(own));
    }
  found_all = missed(table) == 0;
  return out + "\n" + text_of(table, flags.demonstrate);
}

}  // namespace

}  // namespace hadal::bench

int main(int argc, char** argv) {
  using namespace hadal::bench;
  Flags flags;
  CLI::App app("Mutants of compiled models against the check", "bench_mutants");
  app.add_option("MODEL", flags.models, "Models or programs")->required();
  app.add_option("--chip", flags.chips, "Chips; default: a program's own, else hadal-1");
  app.add_option("--most", flags.most, "Mutants of a model, drawn by --seed; default: 400");
  app.add_option("--seed", flags.seed, "Of the draw, and of orders by chance; default: 0");
  app.add_flag("--demonstrate", flags.demonstrate, "Also look for an order that shows each race");
  CLI11_PARSE(app, argc, argv);
  bool found_all = false;
  const int code = print(run(flags, found_all));
  return code != 0 ? code : found_all ? 0 : 1;
}
