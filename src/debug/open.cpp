#include "debug/open.h"

#include <algorithm>

#include "isa/budget.h"
#include "machine/timing/limits.h"
#include "runtime/values.h"

namespace hadal::debug {

namespace {

/// Of a program file, what a model is compiled with says nothing.
runtime::Source without_compilation(runtime::Source source) {
  source.precision.reset();
  source.states.clear();
  source.calibration.clear();
  source.dump_after.clear();
  return source;
}

/// The model as the program was compiled from it, as far as the program tells and the source does not.
Result<runtime::Loaded> compile_like(runtime::Source source, const isa::Program& program) {
  source.keep_graph = true;
  if (!source.chip && !source.profile) source.chip = program.chip;
  for (const isa::Port& input : program.inputs) source.shapes.try_emplace(input.name, input.shape);
  for (const isa::FixedInput& input : program.fixed) {
    source.shapes.try_emplace(input.name, input.shape);
    source.values.try_emplace(input.name,
                              Tensor{input.dtype, input.shape, {nullptr, std::as_bytes(std::span(input.bytes))}});
  }
  HADAL_TRY(runtime::Loaded loaded, runtime::load(source));
  const auto precision = dtype_named(program.precision);
  if (source.precision || !precision || loaded.program.precision == program.precision) return loaded;
  source.precision = precision;
  return runtime::load(source);
}

}  // namespace

Result<Start> start_of(const runtime::Loaded& loaded, std::vector<runtime::GivenInput> given, uint64_t seed,
                       const runtime::ValueSettings& settings) {
  const isa::Program& program = loaded.program;
  std::erase_if(given, [&](const runtime::GivenInput& input) {
    return std::ranges::count(program.fixed, input.source.name, &isa::FixedInput::name) > 0;
  });
  HADAL_CHECK(machine::meets_limits(program, loaded.chip));
  HADAL_CHECK(isa::check_budget(program));
  Start out{.cores = runtime::cores_of(program, loaded.chip)};
  HADAL_TRY(out.options, runtime::value_options(program, loaded.chip, settings));
  HADAL_TRY(const std::vector<Tensor> inputs, runtime::bind_inputs(program.inputs, given, seed));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor stored = cast(inputs[i], program.inputs[i].stored);
    std::byte* data = nullptr;
    out.inputs.push_back(Tensor::zeros(stored.dtype, stored.shape, data));
    std::ranges::copy(stored.bytes.view, data);
  }
  return out;
}

Result<Subject> open(runtime::Source source, Wish wish) {
  if (runtime::lacks_scales(source)) return runtime::needs_scales(source);
  HADAL_CHECK(runtime::add_inputs(source, wish.inputs));
  HADAL_TRY(runtime::Loaded loaded, runtime::load(source));
  HADAL_TRY(Start start, start_of(loaded, std::move(wish.inputs), wish.seed,
                                  {1, wish.exact, source.memory_limit, printable(source.file.string())}));
  return Subject{std::move(loaded), std::move(start)};
}

Result<Bisection> bisect(const runtime::Source& source, const std::optional<runtime::Source>& model, Wish wish,
                         std::optional<double> tolerance, isa::Program* program) {
  const bool compiled = runtime::is_program(source.file);
  if (compiled && !model)
    return Error{"debug.model", "a program alone does not tell what it should compute", printable(source.file.string()),
                 "name the model that it was compiled from: --bisect MODEL.onnx"};
  if (!compiled && model)
    return Error{"debug.model", "a model is compared with itself", printable(source.file.string()),
                 "give --bisect without a name"};
  runtime::Source own = compiled ? without_compilation(source) : source;
  own.keep_graph = true;
  HADAL_TRY(const Subject subject, open(own, std::move(wish)));
  runtime::Loaded reference{.program = {}, .chip = {}};
  if (compiled) {
    HADAL_TRY(reference, compile_like(*model, subject.loaded.program));
  }
  const runtime::Loaded& like = compiled ? reference : subject.loaded;
  HADAL_TRY(Bisection out, bisect(subject.loaded.program, like.program, *like.lowered, subject.start.cores,
                                  subject.start.options, subject.start.inputs, tolerance));
  if (program != nullptr) *program = subject.loaded.program;
  return out;
}

}  // namespace hadal::debug
