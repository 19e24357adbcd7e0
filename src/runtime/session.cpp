#include "runtime/session.h"

#include <algorithm>
#include <map>

#include "base/units.h"
#include "isa/budget.h"
#include "machine/timing/limits.h"
#include "runtime/repeat.h"
#include "runtime/stopwatch.h"

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

/// The cores that run: as many as the program was verified for. More would run code that nobody looked at.
int64_t cores_of(const Outcome& outcome) { return std::min<int64_t>(outcome.program.limits.cores, outcome.chip.cores); }

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

Status check_memory(const Request& request, Outcome& outcome) {
  outcome.memory_estimate = memory_needed(outcome.program, outcome.chip);
  const int64_t limit = request.source.memory_limit;
  if (outcome.memory_estimate <= limit) return {};
  return Error{"memory.limit",
               fmt::format("the values need about {}, the limit is {}",
                           quantity_text(static_cast<double>(outcome.memory_estimate), Unit::bytes),
                           quantity_text(static_cast<double>(limit), Unit::bytes)),
               printable(request.source.file.string()),
               "raise --memory-limit, or leave the values out with --no-values"};
}

Status run_values(const Request& request, const std::vector<GivenInput>& given, Outcome& outcome) {
  const isa::Program& program = outcome.program;
  for (const isa::WeightEntry& weight : program.weights)
    if (weight.bytes.view.size() != weight.size)
      return Error{"program.weights", fmt::format("weight \"{}\" has no values in this file", printable(weight.name)),
                   printable(request.source.file.string()), "only --no-values can do without them"};
  HADAL_TRY(const std::vector<Expected> expected,
            read_expected(request.expected, program.outputs, request.source.memory_limit));
  HADAL_TRY(std::vector<Tensor> inputs, bind_inputs(program.inputs, given, request.seed));
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = cast(inputs[i], program.inputs[i].stored);

  begin(request, "values");
  Stopwatch watch;
  machine::ValueOptions options;
  options.threads = request.threads;
  options.exact = request.exact;
  options.round_products_to_bf16 = rounds_f32_products(outcome.chip);
  HADAL_TRY(const auto machine, machine::ValueMachine::make(program, cores_of(outcome), options));
  outcome.values.emplace();
  HADAL_TRY(outcome.outputs, machine->run(inputs, *outcome.values));
  outcome.functional_seconds = watch.lap();
  if (request.repeat > 0) HADAL_CHECK(repeat_values(*machine, inputs, request, *outcome.repeats));

  for (size_t i = 0; i < outcome.outputs.size(); ++i)
    outcome.outputs[i] = cast(outcome.outputs[i], program.outputs[i].dtype);
  for (const Expected& want : expected)
    outcome.expected.push_back(compare(program.outputs[want.output].name, outcome.outputs[want.output], want.values,
                                       request.tolerance, outcome.precision));
  return {};
}

Status run_timing(const Request& request, Outcome& outcome) {
  begin(request, "timing");
  Stopwatch watch;
  chip::Chip chip = outcome.chip;
  chip.cores = cores_of(outcome);
  machine::TimingOptions options{.warm = outcome.warm, .exact_memory = request.exact_memory};
  if (request.slices) options.slices = &outcome.slices;
  HADAL_TRY(outcome.timing, machine::time_program(outcome.program, chip, options));
  outcome.timing_seconds = watch.lap();
  if (request.repeat > 0) repeat_timing(outcome.chip, *outcome.timing, request, *outcome.repeats);
  return {};
}

}  // namespace

int64_t memory_needed(const isa::Program& program, const chip::Chip& chip) {
  double bytes = static_cast<double>(program.limits.cores) *
                 static_cast<double>(chip.scratchpad.bytes + chip.scratchpad.accumulator_bytes);
  for (const isa::Region& region : program.regions)  // Weights are held a second time, packed for the host's kernels.
    bytes += static_cast<double>(region.bytes) * (region.kind == isa::RegionKind::weight ? 2 : 1);
  for (const auto* ports : {&program.inputs, &program.outputs})
    for (const isa::Port& port : *ports)
      bytes += static_cast<double>(checked_bytes(port.shape, bytes_of(port.dtype) + bytes_of(port.stored)));
  return static_cast<int64_t>(std::min(bytes, 0x1p62));
}

Result<Outcome> run(const Request& request) {
  const bool quantised = !request.source.calibration.empty();
  if (request.values && request.source.precision && !is_float(*request.source.precision) && !quantised)
    return Error{"run.precision",
                 fmt::format("{} values of a model in floats need scales, which the model does not have",
                             name_of(*request.source.precision)),
                 printable(request.source.file.string()),
                 "quantise it by samples, --calibrate NAME=FILE.npy, or time it without values, --no-values"};
  HADAL_TRY(std::vector<GivenInput> given, read_inputs(request.inputs, request.source.memory_limit));
  Source source = request.source;
  HADAL_CHECK(add_inputs(source, given));
  source.allow_absent_data = !request.values;
  source.threads = request.threads;
  auto result = load(source);
  if (!result) return with_files(std::move(result).error(), given);
  Loaded& loaded = *result;

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
  if (request.values) {
    HADAL_CHECK(check_memory(request, outcome));
    HADAL_CHECK(run_values(request, given, outcome));
  }
  if (request.timing) HADAL_CHECK(run_timing(request, outcome));
  if (request.output_dir) {
    HADAL_TRY(outcome.output_files, write_outputs(*request.output_dir, outcome.program.outputs, outcome.outputs));
  }
  return outcome;
}

}  // namespace hadal::runtime
