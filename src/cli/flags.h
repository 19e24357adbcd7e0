// Flags that several subcommands share, and how their values are read. CLI11 hands over text; numbers are read here,
// without a locale, with errors that name the flag.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "cli/command.h"
#include "runtime/load.h"

namespace hadal::cli {

/// A whole number in [least, most]. Errors: usage.value.
Result<int64_t> read_integer(std::string_view text, std::string_view flag, int64_t least, int64_t most);
/// Of --threads; absent: all usable CPUs. Errors: usage.value.
Result<int> read_threads(const std::optional<std::string>& text);
/// A quantity above 0, such as "4 GiB" or "100ms". Errors: usage.value.
Result<double> read_quantity(std::string_view text, std::string_view flag, Unit unit);
/// Of --tolerance. Errors: usage.value.
Result<double> read_tolerance(const std::string& text);
/// "f32", "bf16", "int8" … Errors: usage.value, with a suggestion.
Result<DType> read_precision(std::string_view text);
/// Errors: usage.value, with the choices.
Result<std::string> read_choice(std::string_view text, std::string_view flag,
                                std::initializer_list<std::string_view> choices);

/// A model or program, and what it is to be made for.
struct ModelFlags {
  std::string model;
  std::optional<std::string> chip, profile, precision, memory_limit, dump_after, effort;
  std::vector<std::string> shapes, states, inputs, calibration;

  /// Adds MODEL (`what` describes it), --chip, --profile, --precision, --calibrate, --effort, --shape, --state,
  /// --memory-limit and --dump-after.
  void add_to(CLI::App& app, const std::string& what);
  /// Adds --input, where nothing is run.
  void add_inputs_to(CLI::App& app);
  /// Errors: usage.*; those of the input files.
  [[nodiscard]] Result<runtime::Source> source() const;
};

}  // namespace hadal::cli
