// hadal chips: the chip descriptions and the peaks that follow from them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "base/units.h"
#include "chip/chip.h"
#include "cli/command.h"
#include "cli/console.h"
#include "report/text.h"

namespace hadal::cli {

namespace {

using Align = report::Table::Align;

/// Operations a second: a multiply-accumulate is two.
std::string peak(const chip::Chip& chip, DType type) {
  const double macs = chip.peak_macs_per_second(type);
  return macs > 0 ? report::scaled(2 * macs, "op/s") : "-";
}

Result<std::string> list() {
  report::Table table({{"chip"},
                       {"cores", Align::right},
                       {"clock", Align::right},
                       {"f32", Align::right},
                       {"bf16", Align::right},
                       {"int8", Align::right},
                       {"scratchpad", Align::right},
                       {"memory", Align::right},
                       {"bandwidth", Align::right},
                       {"what it is"}});
  for (const std::string& name : chip::shipped_chips()) {
    HADAL_TRY(const chip::Chip chip, chip::load_chip(name));
    table.add(
        {chip.name, fmt::format("{}", chip.cores), report::scaled(chip.clock.hertz, "Hz"), peak(chip, DType::f32),
         peak(chip, DType::bf16), peak(chip, DType::i8),
         fmt::format("{} x {}", chip.cores, quantity_text(static_cast<double>(chip.scratchpad.bytes), Unit::bytes)),
         report::scaled(static_cast<double>(chip.memory.bytes), "B"),
         report::scaled(chip.memory.bytes_per_second, "B/s"), chip.summary});
  }
  return table.text() +
         "\nf32, bf16, int8: peak of the matrix arrays, two operations a multiply-accumulate. hadal chips NAME shows "
         "every figure.\n";
}

/// Lines of at most 80 letters, broken between words.
std::vector<std::string> wrapped(const std::string& text) {
  constexpr size_t width = 80;
  std::vector<std::string> lines;
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (lines.empty() || lines.back().size() + 1 + word.size() > width)
      lines.push_back(std::move(word));
    else
      lines.back() += " " + word;
  return lines;
}

Result<std::string> show(const std::string& name) {
  HADAL_TRY(const chip::Chip chip, chip::load_chip(name));
  report::Table peaks({{}, {"", Align::right}, {}});
  for (const auto& [type, rate] : chip.matrix.rows_per_cycle)
    if (rate > 0)
      peaks.add({std::string(name_of(type)), peak(chip, type),
                 fmt::format("{:.3g} operations for each byte of memory bandwidth",
                             2 * chip.peak_macs_per_second(type) / chip.memory.bytes_per_second)});
  report::Table fields({{"field"}, {"value"}, {"meaning, and where the value comes from"}});
  for (const chip::FieldRow& row : chip::describe(chip)) {
    if (row.name == "name" || row.name == "summary") continue;
    std::vector<std::string> lines = wrapped(row.meaning);
    std::ranges::copy(wrapped(row.source), std::back_inserter(lines));
    for (size_t i = 0; i < lines.size(); ++i) fields.add({i == 0 ? row.name : "", i == 0 ? row.value : "", lines[i]});
  }
  return fmt::format("{}: {}\n{}\n\npeaks of the matrix arrays\n{}\n{}", chip.name, chip.summary, chip.file,
                     peaks.text("  "), fields.text());
}

}  // namespace

void add_chips(CLI::App& app, Action& action) {
  CLI::App& chips =
      *app.add_subcommand("chips", "List the shipped chips, or show one with every figure and its source");
  auto name = std::make_shared<std::string>();
  chips.add_option("NAME", *name, "A shipped chip or a .toml file")->type_name("");
  chips.footer("Example:\n  hadal chips hadal-1");
  chips.callback([name, &action] {
    action = [name]() -> Result<int> {
      HADAL_TRY(const std::string text, name->empty() ? list() : show(*name));
      HADAL_CHECK(put(stdout, text));
      return 0;
    };
  });
}

}  // namespace hadal::cli
