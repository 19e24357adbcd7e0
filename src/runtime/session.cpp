#include "runtime/session.h"

#include <algorithm>
#include <map>

#include "isa/budget.h"
#include "machine/timing/limits.h"
#include "runtime/repeat.h"
#include "runtime/stopwatch.h"
#include "runtime/values.h"

namespace hadal::runtime {

namespace {

void begin(const Request& request, const char* stage) {
  if (request.source.progress) request.source.progress(stage);
}

/// The type of most multiply-accumulates; of a program without any, f32.
DType precision_of(const isa::Program& program) {
  std::map<DType, uint64_t> macs;
  for (const isa::Layer& layer : program.layers) macs[layer.precision] += layer.macs;
  const auto most =
      std::max_element(macs.begin(), macs.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == macs.end() || most->second == 0 ? DType::f32 : most->first;
}

bool rounds_f32_products(const chip::Chip& chip) { return chip.matrix.f32_passes == 1; }

/// What the user should know that no number says.
void add_notes(Outcome& outcome) {
  const auto multiplies_f32 = [](const isa::Layer& layer) { return layer.macs > 0 && layer.precision == DType::f32; };
  const auto& layers = outcome.program.layers;
  if (rounds_f32_products(outcome.chip) && std::any_of(layers.begin(), layers.end(), multiplies_f32))
    outcome.notes.push_back(
        fmt::format("an f32 product is one bf16 pass on {}: its operands are rounded to bf16", outcome.chip.name));
}

/// The importer knows inputs' shapes but not where they came from: adds the files of the inputs that it names.
Error with_files(Error error, const std::vector<GivenInput>& given) {
  if (error.code != "onnx.shape") return error;
  for (const GivenInput& input : given)
    if (input.tensor && error.message.find(fmt::format("'{}'", printable(input.source.name))) != std::string::npos)
      error.place += fmt::format("\n  the shape is that of {}", printable(input.source.file));
  return error;
}

Status run_check(const Request& request, Outcome& outcome) {
  begin(request, "check");
  Stopwatch watch;
  const machine::CheckOptions options{.memory_limit = request.source.memory_limit};
  HADAL_TRY(outcome.checked, machine::check_program(outcome.program, cores_of(outcome.program, outcome.chip), options));
  outcome.check_seconds = watch.lap();
  return machine::status_of(outcome.program, *outcome.checked);
}

Status run_values(const Request& request, const std::vector<GivenInput>& given, Outcome& outcome) {
  const isa::Program& program = outcome.program;
  Stopwatch making_watch;
  HADAL_TRY(Values values, Values::of(program, outcome.chip,
                                      {request.threads, request.exact, request.source.memory_limit,
                                       printable(request.source.file.string())}));
  const double making = making_watch.lap();
  HADAL_TRY(const std::vector<Expected> expected,
            read_expected(request.expected, program.outputs, request.source.memory_limit));
  HADAL_TRY(std::vector<Tensor> inputs, bind_inputs(program.inputs, given, request.seed));
  begin(request, "values");
  Stopwatch watch;
  outcome.values.emplace();
  HADAL_TRY(outcome.outputs, values.run(inputs, *outcome.values));
  for (const isa::State& state : program.states) outcome.outputs[state.output] = values.state(state);
  outcome.functional_seconds = making + watch.lap();
  if (request.repeat > 0)
    HADAL_CHECK(repeat_values(values.machine(), values.bind(std::move(inputs)), request, *outcome.repeats));
  for (const Expected& want : expected)
    outcome.expected.push_back(compare(program.outputs[want.output].name, outcome.outputs[want.output], want.values,
                                       request.tolerance, outcome.precision));
  return {};
}

Status run_timing(const Request& request, Outcome& outcome) {
  begin(request, "timing");
  Stopwatch watch;
  chip::Chip chip = outcome.chip;
  chip.cores = cores_of(outcome.program, outcome.chip);
  machine::TimingOptions options{
      .warm = outcome.warm, .exact_memory = request.exact_memory, .extrapolate = request.extrapolate};
  if (request.slices) options.slices = &outcome.slices;
  HADAL_TRY(outcome.timing, machine::time_program(outcome.program, chip, options));
  outcome.timing_seconds = watch.lap();
  if (request.repeat > 0) repeat_timing(outcome.chip, *outcome.timing, request, *outcome.repeats);
  return {};
}

}  // namespace

Result<Outcome> run(const Request& request) {
  if (request.values && lacks_scales(request.source)) return needs_scales(request.source);
  HADAL_TRY(std::vector<GivenInput> given, read_inputs(request.inputs, request.source.memory_limit));
  Source source = request.source;
  HADAL_CHECK(add_inputs(source, given));
  source.allow_absent_data = !request.values;
  source.threads = request.threads;
  auto result = load(source);
  if (!result) return with_files(std::move(result).error(), given);
  return run_loaded(request, std::move(*result), std::move(given));
}

Result<Outcome> run_loaded(const Request& request, Loaded loaded, std::vector<GivenInput> given) {
  Outcome outcome{std::move(loaded.program), std::move(loaded.chip)};
  outcome.precision = precision_of(outcome.program);
  outcome.notes = std::move(loaded.notes);
  outcome.compiled = loaded.compiled;
  outcome.warm = loaded.warm;
  outcome.import_seconds = loaded.import_seconds;
  outcome.compile_seconds = loaded.compile_seconds;
  add_notes(outcome);
  if (request.repeat > 0) outcome.repeats.emplace().runs = request.repeat;

  std::erase_if(given, [&](const GivenInput& input) {
    return std::ranges::count(outcome.program.fixed, input.source.name, &isa::FixedInput::name) > 0;
  });
  HADAL_CHECK(check_names(given, outcome.program.inputs));
  HADAL_CHECK(machine::meets_limits(outcome.program, outcome.chip));
  HADAL_CHECK(isa::check_budget(outcome.program));
  if (request.check) HADAL_CHECK(run_check(request, outcome));
  if (request.values) {
    outcome.memory_estimate = memory_needed(outcome.program, outcome.chip);
    HADAL_CHECK(run_values(request, given, outcome));
  }
  if (request.timing) HADAL_CHECK(run_timing(request, outcome));
  if (request.output_dir) {
    HADAL_TRY(outcome.output_files, write_outputs(*request.output_dir, outcome.program.outputs, outcome.outputs));
  }
  return outcome;
}

}  // namespace hadal::runtime
