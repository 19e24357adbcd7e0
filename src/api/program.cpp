// Programs and chips.
#include <algorithm>

#include "api/handles.h"
#include "chip/chip.h"
#include "isa/budget.h"
#include "isa/file.h"
#include "isa/text.h"
#include "machine/check/run.h"
#include "machine/timing/limits.h"
#include "report/json.h"
#include "runtime/resources.h"
#include "runtime/session.h"
#include "runtime/tile_program.h"

namespace hadal::api {

namespace {

constexpr double usual_share_of_memory = 0.8;

Result<DType> precision_named(const char* name) {
  if (const auto dtype = dtype_named(name)) return *dtype;
  return Error{
      "usage.value", fmt::format("there is no precision \"{}\"", printable(name)), {}, "f32, bf16, f16, int8 …"};
}

runtime::KernelSource kernels_of(const hadal_kernels& kernels) {
  return {{kernels.operators, kernels.operators + kernels.count}, [&kernels](const std::string& node) {
            hadal_answer answer;
            kernels.answer(kernels.user, node.c_str(), &answer);
            return std::move(answer.json);
          }};
}

}  // namespace

Result<runtime::Source> source_of(const char* file, const hadal_options& options) {
  runtime::Source source;
  source.file = file;
  if (options.chip != nullptr) source.chip = options.chip;
  if (options.profile != nullptr) source.profile = options.profile;
  if (options.precision != nullptr) {
    HADAL_TRY(source.precision, precision_named(options.precision));
  }
  for (size_t i = 0; i < options.given_count; ++i) {
    HADAL_TRY(Tensor tensor, tensor_of(options.given[i]));
    source.shapes[options.given[i].name] = tensor.shape;
    if (options.given[i].data != nullptr) source.values[options.given[i].name] = std::move(tensor);
  }
  for (size_t i = 0; i < options.state_count; ++i)
    source.states.emplace_back(options.states[i].input, options.states[i].output);
  if (options.kernels != nullptr && options.profile == nullptr) source.kernels = kernels_of(*options.kernels);
  source.allow_absent_data = options.no_values != 0;
  source.threads = options.threads > 0 ? options.threads : runtime::usable_cpus();
  source.memory_limit = options.memory_limit;
  if (source.memory_limit <= 0)
    source.memory_limit = static_cast<int64_t>(usual_share_of_memory * static_cast<double>(runtime::usable_memory()));
  return source;
}

namespace {

Status keep(runtime::Source source, runtime::Loaded loaded, const hadal_options& options, hadal_program** out) {
  HADAL_CHECK(machine::meets_limits(loaded.program, loaded.chip));
  HADAL_CHECK(isa::check_budget(loaded.program));
  source.values.clear();  // The caller's bytes.
  source.kernels = {};
  auto compiled = std::make_shared<Compiled>(Compiled{std::move(source), std::move(loaded), options.no_values == 0,
                                                      options.exact != 0, options.exact_memory != 0});
  *out = new hadal_program{std::move(compiled)};
  return {};
}

Status load(const char* file, const hadal_options& options, hadal_program** out) {
  HADAL_TRY(runtime::Source source, source_of(file, options));
  HADAL_TRY(runtime::Loaded loaded, runtime::load(source));
  return keep(std::move(source), std::move(loaded), options, out);
}

Status lower(const char* json, const hadal_options& options, hadal_program** out) {
  HADAL_TRY(const runtime::TileProgram program, runtime::parse_tile_program(json));
  HADAL_TRY(runtime::Source source, source_of(program.tiles.model.c_str(), options));
  HADAL_TRY(runtime::Loaded loaded, runtime::load_tiles(program, source));
  return keep(std::move(source), std::move(loaded), options, out);
}

Status simulate(const Compiled& compiled, char** json) {
  runtime::Request request;
  request.source = compiled.source;
  request.threads = compiled.source.threads;
  request.values = false;
  request.exact_memory = compiled.exact_memory;
  HADAL_TRY(const runtime::Outcome outcome, runtime::run_loaded(request, compiled.loaded, {}));
  *json = copied(report::json_of(request, outcome, report::facts_of(outcome)));
  return {};
}

}  // namespace

}  // namespace hadal::api

using hadal::api::guarded;

hadal_status* hadal_program_load(const char* file, const hadal_options* options, hadal_program** out) {
  return guarded([&] { return hadal::api::load(file, options != nullptr ? *options : hadal_options{}, out); });
}
hadal_status* hadal_program_from_tiles(const char* json, const hadal_options* options, hadal_program** out) {
  return guarded([&] { return hadal::api::lower(json, options != nullptr ? *options : hadal_options{}, out); });
}
hadal_status* hadal_tiles_text(const char* json, char** text) {
  return guarded([&]() -> hadal::Status {
    HADAL_TRY(const hadal::runtime::TileProgram program, hadal::runtime::parse_tile_program(json));
    *text = hadal::api::copied(hadal::tile::text_of(program.tiles));
    return {};
  });
}
hadal_status* hadal_program_text(const hadal_program* program, char** text) {
  return guarded([&]() -> hadal::Status {
    HADAL_TRY(const std::string shown,
              hadal::isa::disassemble(program->compiled->loaded.program, hadal::isa::WeightText::side_file));
    *text = hadal::api::copied(shown);
    return {};
  });
}
void hadal_answer_give(hadal_answer* answer, const char* json) { answer->json = json; }
void hadal_program_free(hadal_program* program) { delete program; }

hadal_status* hadal_program_save(const hadal_program* program, const char* file) {
  return guarded([&] { return hadal::isa::write_program(program->compiled->loaded.program, file); });
}

hadal_status* hadal_program_check(const hadal_program* program) {
  return guarded([&]() -> hadal::Status {
    const auto& [source, loaded, values, exact, exact_memory] = *program->compiled;
    const hadal::machine::CheckOptions options{.memory_limit = source.memory_limit};
    HADAL_TRY(const auto checked, hadal::machine::check_program(
                                      loaded.program, hadal::runtime::cores_of(loaded.program, loaded.chip), options));
    return hadal::machine::status_of(loaded.program, checked);
  });
}

hadal_status* hadal_program_simulate(const hadal_program* program, char** json) {
  return guarded([&] { return hadal::api::simulate(*program->compiled, json); });
}

size_t hadal_program_input_count(const hadal_program* program) {
  return program->compiled->loaded.program.inputs.size();
}
size_t hadal_program_output_count(const hadal_program* program) {
  return program->compiled->loaded.program.outputs.size();
}
size_t hadal_program_state(const hadal_program* program, size_t input) {
  const auto& states = program->compiled->loaded.program.states;
  const auto found = std::ranges::find(states, input, &hadal::isa::State::input);
  return found == states.end() ? SIZE_MAX : found->output;
}
void hadal_program_input(const hadal_program* program, size_t index, hadal_array* out) {
  const hadal::isa::Port& port = program->compiled->loaded.program.inputs[index];
  hadal::api::show(port.name, port.dtype, port.shape, *out);
}
void hadal_program_output(const hadal_program* program, size_t index, hadal_array* out) {
  const hadal::isa::Port& port = program->compiled->loaded.program.outputs[index];
  hadal::api::show(port.name, port.dtype, port.shape, *out);
}

hadal_status* hadal_chips(char** json) {
  return guarded([&]() -> hadal::Status {
    *json = hadal::api::copied(hadal::report::json_of(hadal::chip::shipped_chips()));
    return {};
  });
}

hadal_status* hadal_instructions(char** json) {
  return guarded([&]() -> hadal::Status {
    *json = hadal::api::copied(hadal::report::instructions_json());
    return {};
  });
}

hadal_status* hadal_chip(const char* chip, char** json) {
  return guarded([&]() -> hadal::Status {
    HADAL_TRY(const hadal::chip::Chip loaded, hadal::chip::load_chip(chip));
    *json = hadal::api::copied(hadal::report::json_of(hadal::chip::describe(loaded)));
    return {};
  });
}
