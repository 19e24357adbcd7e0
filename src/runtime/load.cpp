#include "runtime/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

#include "base/files.h"
#include "base/npy.h"
#include "base/suggest.h"
#include "compile/compile.h"
#include "isa/file.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "machine/timing/run.h"
#include "onnx/import.h"
#include "runtime/calibrate.h"
#include "runtime/compile_graph.h"
#include "runtime/inputs.h"
#include "runtime/kernels.h"
#include "runtime/resources.h"
#include "runtime/stopwatch.h"

namespace hadal::runtime {

namespace {

void begin(const Source& source, const std::string& stage) {
  if (source.progress) source.progress(stage);
}

Result<std::optional<compile::Profile>> profile_for(const Source& source) {
  if (!source.profile) return std::optional<compile::Profile>{};
  HADAL_TRY(compile::Profile profile, compile::load_profile(*source.profile));
  return std::optional(std::move(profile));
}

/// What the profile's software, in a call of the program, leaves of the chip.
void call(Loaded& loaded, const std::optional<compile::Profile>& profile) {
  if (!profile || loaded.program.layers.empty()) return;
  loaded.chip = compile::calling(*profile, std::move(loaded.chip), loaded.program.layers.front().op);
  loaded.warm = profile->machine.warm;
}

/// The chip asked for; without one, the shipped chip that a program was compiled for.
Result<chip::Chip> chip_for(const Source& source, const std::string& compiled_for,
                            const std::optional<compile::Profile>& profile) {
  std::string name = default_chip;
  if (source.chip)
    name = *source.chip;
  else if (profile)
    name = profile->chip;
  else if (const auto shipped = chip::shipped_chips(); std::ranges::find(shipped, compiled_for) != shipped.end())
    name = compiled_for;
  HADAL_TRY(chip::Chip chip, chip::load_chip(name));
  if (chip.memory.device.ends_with(".toml"))  // As seen from the chip's file.
    chip.memory.device = (std::filesystem::path(chip.file).parent_path() / chip.memory.device).string();
  HADAL_CHECK(machine::check_memory(chip));
  if (profile) return compile::under(*profile, std::move(chip));
  return chip;
}

std::vector<isa::FixedInput> fixed_inputs(const std::map<std::string, Tensor>& values) {
  std::vector<isa::FixedInput> out;
  for (const auto& [name, value] : values) {
    const auto* const data = reinterpret_cast<const uint8_t*>(value.bytes.view.data());
    out.push_back({name, value.dtype, value.shape, {data, data + value.bytes.view.size()}});
  }
  return out;
}

Tensor tensor_of(const isa::FixedInput& input) {
  return {input.dtype, input.shape, {nullptr, std::as_bytes(std::span(input.bytes))}};
}

/// A program's fixed inputs have the values that it was compiled for.
Status check_fixed(const isa::Program& program, const std::map<std::string, Tensor>& values) {
  for (const isa::FixedInput& input : program.fixed) {
    const auto given = values.find(input.name);
    if (given == values.end()) continue;
    const Tensor wanted = tensor_of(input), &found = given->second;
    const auto value = array_as(found, wanted.dtype);
    if (value && value->shape == wanted.shape && std::ranges::equal(value->bytes.view, wanted.bytes.view)) continue;
    return Error{
        "input.fixed",
        fmt::format("the program was compiled for the values {}, found {}", text_of(wanted, 16), text_of(found, 16)),
        fmt::format("input \"{}\"", printable(input.name)), "compile the model again, with these values"};
  }
  return {};
}

bool is_text(const std::filesystem::path& file) { return file.extension() == ".hasm"; }

/// The program that a text describes, whose lines take the place of those that the text itself tells of.
Result<isa::Program> assemble(const std::filesystem::path& file, std::vector<std::string>& text) {
  HADAL_TRY(const auto bytes, read_file(file, most_text_bytes()));
  const std::string_view whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<uint32_t> numbers;
  HADAL_TRY(isa::Program program, isa::assemble(whole, file.string(), file.parent_path(), &numbers));
  program.lines.clear();
  for (const uint32_t number : numbers) program.lines.push_back(fmt::format("{}:{}", file.string(), number));
  for (const auto line : std::views::split(whole, '\n')) text.emplace_back(line.begin(), line.end());
  if (!text.empty() && text.back().empty()) text.pop_back();  // Behind the last line feed.
  return program;
}

Result<Loaded> read(const Source& source) {
  const std::string place = printable(source.file.string());
  if (source.precision)
    return Error{"usage.program", "a program's precision is fixed: it was chosen when the program was compiled", place,
                 "leave --precision out"};
  if (!source.states.empty())
    return Error{"usage.program", "a program's state is fixed: it was named when the program was compiled", place,
                 "leave --state out"};
  if (!source.dump_after.empty())
    return Error{"usage.program", "a program is compiled already: there is no pass to dump", place,
                 "see it with: hadal dis PROGRAM"};
  begin(source, "read");
  Stopwatch watch;
  std::vector<std::string> text;
  HADAL_TRY(isa::Program program, is_text(source.file) ? assemble(source.file, text) : isa::read_program(source.file));
  HADAL_CHECK(isa::verify_static(program));
  HADAL_CHECK(check_fixed(program, source.values));
  for (const auto& [name, shape] : source.shapes) {
    if (std::ranges::count(program.fixed, name, &isa::FixedInput::name) > 0) continue;
    const auto port = std::ranges::find(program.inputs, name, &isa::Port::name);
    if (port == program.inputs.end()) return unknown_input(name, program.inputs);
    if (port->shape != shape)
      return Error{"input.shape",
                   fmt::format("the program was compiled for shape {}, found {}", text_of(port->shape), text_of(shape)),
                   fmt::format("input \"{}\"", printable(name))};
  }
  HADAL_TRY(const auto profile, profile_for(source));
  HADAL_TRY(chip::Chip chip, chip_for(source, program.chip, profile));
  Loaded loaded{
      .program = std::move(program), .chip = std::move(chip), .text = std::move(text), .import_seconds = watch.lap()};
  call(loaded, profile);
  return loaded;
}

Error unknown_pass(const std::string& name, const std::vector<std::string>& passes) {
  const std::vector<std::string_view> names(passes.begin(), passes.end());
  return Error{"usage.pass",
               fmt::format("no pass \"{}\" gives a text", printable(name)),
               {},
               fmt::format("{} the passes are {}, or all", did_you_mean(name, names), fmt::join(passes, ", "))};
}

Result<Loaded> compile(const Source& source) {
  begin(source, "import");
  Stopwatch watch;
  onnx::ImportOptions import;
  import.shapes = source.shapes;
  import.values = source.values;
  import.allow_absent_data = source.allow_absent_data;
  import.memory_limit = source.memory_limit;
  Kernels kernels(source.kernels);
  import.kernels = kernels.table();
  HADAL_TRY(onnx::Imported imported, onnx::import_model(source.file, import));
  const double import_seconds = watch.lap();
  if (!source.calibration.empty()) {
    begin(source, "calibrate");
    HADAL_TRY(const auto notes, calibrate(imported.graph, source.calibration));
    imported.notes.insert(imported.notes.end(), notes.begin(), notes.end());
  }
  HADAL_TRY(Loaded loaded, compile_graph(std::move(imported.graph), source, kernels.programs()));
  loaded.program.fixed = fixed_inputs(imported.fixed);
  loaded.notes = std::move(imported.notes);
  loaded.import_seconds = import_seconds;
  return loaded;
}

}  // namespace

Result<chip::Chip> chip_of(const Source& source) { return chip_for(source, default_chip, std::nullopt); }

Result<Loaded> compile_graph(graph::Graph graph, const Source& source, const compile::KernelPrograms* kernels) {
  HADAL_TRY(const auto profile, profile_for(source));
  HADAL_TRY(chip::Chip chip, chip_for(source, default_chip, profile));
  Stopwatch watch;
  compile::Options options;
  options.precision = source.precision;
  if (!source.calibration.empty()) options.precision.reset();  // The types are those of the quantised model.
  options.profile = profile ? &*profile : nullptr;
  options.states = source.states;
  options.values = !source.allow_absent_data;
  options.dump_after = source.dump_after;
  options.threads = static_cast<size_t>(source.threads);
  options.effort = source.effort;
  options.kernels = kernels;
  options.cycles = [&](const isa::Program& program) -> Result<int64_t> {
    chip::Chip used = chip;
    used.cores = program.limits.cores;
    HADAL_TRY(const machine::Timing timing, machine::time_program(program, used, {}));
    return timing.cycles;
  };
  std::vector<std::string> passes;
  bool dumped = false;
  options.dump = [&](const std::string& pass, const std::string& text) {
    dumped = true;
    if (source.dump) source.dump(pass, text);
  };
  options.progress = [&](const std::string& pass) {
    passes.push_back(pass);
    begin(source, "compile: " + pass);
  };
  std::shared_ptr<compile::Lowered> lowered;
  if (source.keep_graph) lowered = std::make_shared<compile::Lowered>();
  options.lowered = lowered.get();
  HADAL_TRY(isa::Program program, compile::compile(std::move(graph), chip, options));
  if (!source.dump_after.empty() && !dumped) return unknown_pass(source.dump_after, passes);
  Loaded loaded{.program = std::move(program),
                .chip = std::move(chip),
                .lowered = std::move(lowered),
                .compiled = true,
                .compile_seconds = watch.lap()};
  call(loaded, profile);
  return loaded;
}

Status add_inputs(Source& source, const std::vector<GivenInput>& given) {
  for (const GivenInput& input : given) {
    if (!input.tensor) continue;
    const auto [entry, added] = source.shapes.emplace(input.source.name, input.tensor->shape);
    if (!added && entry->second != input.tensor->shape)
      return Error{
          "input.shape",
          fmt::format("--shape says {}, the file holds {}", text_of(entry->second), text_of(input.tensor->shape)),
          fmt::format("input \"{}\": {}", printable(input.source.name), printable(input.source.file))};
    source.values.emplace(input.source.name, *input.tensor);
  }
  return {};
}

bool is_program(const std::filesystem::path& file) { return is_text(file) || isa::is_program(file); }

Result<Loaded> load(const Source& source) { return is_program(source.file) ? read(source) : compile(source); }

}  // namespace hadal::runtime
