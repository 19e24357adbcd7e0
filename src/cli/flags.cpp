#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/suggest.h"
#include "cli/console.h"
#include "runtime/inputs.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

constexpr double usual_share_of_memory = 0.8;

Error bad_value(std::string_view flag, std::string_view expected, std::string_view found, std::string remedy = {}) {
  return Error{"usage.value",
               fmt::format("{} needs {}, found \"{}\"", flag, expected, printable(found, 60)),
               {},
               std::move(remedy)};
}

struct Alias {
  std::string_view name, usual;
};
/// Names that people also give to element types.
constexpr std::array<Alias, 14> aliases{{{"fp32", "f32"},
                                         {"float32", "f32"},
                                         {"float", "f32"},
                                         {"fp64", "f64"},
                                         {"float64", "f64"},
                                         {"fp16", "f16"},
                                         {"float16", "f16"},
                                         {"half", "f16"},
                                         {"bfloat16", "bf16"},
                                         {"fp8", "f8e4m3"},
                                         {"f8", "f8e4m3"},
                                         {"e4m3", "f8e4m3"},
                                         {"e5m2", "f8e5m2"},
                                         {"int8", "i8"}}};

}  // namespace

Result<int64_t> read_integer(std::string_view text, std::string_view flag, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error != std::errc::invalid_argument && end == text.data() + text.size();
  if (!whole || error != std::errc{} || value < least || value > most)
    return bad_value(flag, fmt::format("a whole number from {} to {}", least, most), text);
  return value;
}

Result<int> read_threads(const std::optional<std::string>& text) {
  constexpr int64_t most = 1024;
  if (!text) return runtime::usable_cpus();
  HADAL_TRY(const int64_t threads, read_integer(*text, "--threads", 1, most));
  return static_cast<int>(threads);
}

Result<double> read_quantity(std::string_view text, std::string_view flag, Unit unit) {
  auto value = parse_quantity(text, unit);
  if (!value) return Error{"usage.value", fmt::format("{}: {}", flag, value.error().message), {}, value.error().remedy};
  if (!(*value > 0))
    return bad_value(flag, fmt::format("{} above 0", info(unit).noun), text,
                     fmt::format("such as \"{}\"", info(unit).example));
  return value;
}

Result<double> read_tolerance(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && std::isfinite(value) && value >= 0) return value;
  return Error{"usage.value",
               fmt::format("--tolerance needs a number from 0 up, found \"{}\"", printable(text, 60)),
               {},
               "such as 1e-3"};
}

Result<DType> read_precision(std::string_view text) {
  for (const Alias& alias : aliases)
    if (alias.name == text) text = alias.usual;
  static constexpr std::array<std::string_view, 7> usual{"f32", "f64", "f16", "bf16", "f8e4m3", "f8e5m2", "i8"};
  if (std::find(usual.begin(), usual.end(), text) != usual.end()) return *dtype_named(text);
  const std::string hint = did_you_mean(text, usual);
  return bad_value("--precision", "f32, f64, f16, bf16, f8e4m3, f8e5m2 or i8", text, hint);
}

Result<std::string> read_choice(std::string_view text, std::string_view flag,
                                std::initializer_list<std::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return std::string(text);
  std::string list;
  for (const std::string_view choice : choices) list += (list.empty() ? "" : " or ") + std::string(choice);
  return bad_value(flag, list, text, did_you_mean(text, std::span(choices.begin(), choices.size())));
}

void ModelFlags::add_to(CLI::App& app, const std::string& what) {
  constexpr const char* group = "Model and chip";
  app.add_option("MODEL", model, what)->type_name("")->required();
  app.add_option("--chip", chip,
                 "A shipped chip (hadal chips lists them) or a .toml file; default: hadal-1, or a program's")
      ->type_name("NAME|FILE")
      ->group(group);
  app.add_option("--profile", profile,
                 "Schedules of measured software (profiles/) or a .toml file; default: the compiler's own")
      ->type_name("NAME|FILE")
      ->group(group);
  app.add_option("--precision", precision,
                 "Type of storage and products: f32, f64, f16, bf16, f8e4m3, f8e5m2, i8; default: the model's")
      ->type_name("TYPE")
      ->group(group);
  app.add_option("--calibrate", calibration,
                 "With --precision int8: samples of an input along the first axis; may be repeated")
      ->type_name("NAME=FILE.npy")
      ->expected(1)
      ->take_all()
      ->group(group);
  app.add_option("--effort", effort, "Schedules to try beyond the first: more take longer to compile; default: 8")
      ->type_name("N")
      ->group(group);
  app.add_option("--shape", shapes, "Shape of an input with symbolic dimensions, which are else 1; may be repeated")
      ->type_name("NAME=1,3,224,224")
      ->expected(1)
      ->take_all()
      ->group(group);
  app.add_option("--state", states,
                 "Input that the next run finds as this one leaves an output; * is any text; may be repeated")
      ->type_name("INPUT=OUTPUT")
      ->expected(1)
      ->take_all()
      ->group(group);
  app.add_option("--memory-limit", memory_limit,
                 "Memory of this computer, such as 8GiB; default: 80 % of what is usable")
      ->type_name("SIZE")
      ->group(group);
  app.add_option("--dump-after", dump_after, "Print what a compiler pass made (or all of them) on stderr")
      ->type_name("PASS")
      ->group(group);
}

void ModelFlags::add_inputs_to(CLI::App& app) {
  app.add_option("--input", inputs, "Compile for this array's shape, and for its values where they decide shapes")
      ->type_name("NAME=FILE.npy")
      ->expected(1)
      ->take_all()
      ->group("Model and chip");
}

Result<runtime::Source> ModelFlags::source() const {
  runtime::Source out;
  if (model.empty()) return Error{"usage.value", "MODEL needs the name of a file"};
  out.file = model;
  out.chip = chip;
  out.profile = profile;
  out.threads = runtime::usable_cpus();
  if (effort) {
    HADAL_TRY(const int64_t tries, read_integer(*effort, "--effort", 0, 1'000'000));
    out.effort = static_cast<int>(tries);
  }
  if (precision) {
    HADAL_TRY(out.precision, read_precision(*precision));
  }
  for (const std::string& text : shapes) {
    HADAL_TRY(auto shape, runtime::parse_shape(text));
    if (!out.shapes.insert(shape).second)
      return Error{"usage.duplicate", fmt::format("the shape of input \"{}\" is given twice", printable(shape.first))};
  }
  for (const std::string& text : states) {
    const size_t equals = text.find('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size())
      return bad_value("--state", "INPUT=OUTPUT", text, "such as --state past.*=present.*");
    out.states.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  out.memory_limit = static_cast<int64_t>(usual_share_of_memory * static_cast<double>(runtime::usable_memory()));
  if (memory_limit) {
    HADAL_TRY(const double bytes, read_quantity(*memory_limit, "--memory-limit", Unit::bytes));
    out.memory_limit = static_cast<int64_t>(std::min(bytes, 0x1p62));
  }
  std::vector<runtime::NamedFile> samples;
  for (const std::string& text : calibration) {
    HADAL_TRY(samples.emplace_back(), runtime::parse_named_file(text, "--calibrate"));
  }
  if (!samples.empty() && out.precision != DType::i8)
    return Error{"usage.contradiction", "--calibrate is about quantisation: give --precision int8 too"};
  HADAL_TRY(out.calibration, runtime::read_inputs(samples, out.memory_limit));
  std::vector<runtime::NamedFile> files;
  for (const std::string& text : inputs) {
    HADAL_TRY(files.emplace_back(), runtime::parse_named_file(text, "--input"));
  }
  HADAL_TRY(const auto given, runtime::read_inputs(files, out.memory_limit));
  HADAL_CHECK(runtime::add_inputs(out, given));
  out.dump_after = dump_after.value_or("");
  out.dump = [](const std::string& pass, const std::string& text) {
    (void)put(stderr, fmt::format("== after {}\n{}\n", pass, text));
  };
  return out;
}

}  // namespace hadal::cli
