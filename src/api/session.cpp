// Sessions: values, run after run.
#include <algorithm>

#include "api/handles.h"
#include "machine/functional/cancel.h"
#include "runtime/inputs.h"

namespace hadal::api {

namespace {

Status open(const std::shared_ptr<const Compiled>& compiled, hadal_session** out) {
  const runtime::Source& source = compiled->source;
  const std::string place = printable(source.file.string());
  if (!compiled->values)
    return Error{"run.values", "the program was loaded without values", place, "load it with them: no_values = 0"};
  if (runtime::lacks_scales(source)) return runtime::needs_scales(source);
  const runtime::Loaded& loaded = compiled->loaded;
  HADAL_TRY(runtime::Values values, runtime::Values::of(loaded.program, loaded.chip,
                                                        {source.threads, compiled->exact, source.memory_limit, place}));
  *out = new hadal_session{compiled, std::move(values), {}};
  return {};
}

Result<std::vector<Tensor>> inputs_of(const isa::Program& program, const hadal_array* arrays, size_t count) {
  std::vector<runtime::GivenInput> given;
  for (size_t i = 0; i < count; ++i) {
    HADAL_TRY(Tensor tensor, tensor_of(arrays[i]));
    given.push_back({{arrays[i].name, {}, {}, false}, std::move(tensor), {}});
  }
  HADAL_CHECK(runtime::check_names(given, program.inputs));
  std::vector<isa::Port> ports;
  std::vector<size_t> numbers;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const isa::Port& port = program.inputs[i];
    inputs.push_back({port.dtype, port.shape, {}});
    if (std::ranges::any_of(given, [&](const auto& input) { return input.source.name == port.name; })) {
      ports.push_back(port);
      numbers.push_back(i);
    } else if (std::ranges::count(program.states, i, &isa::State::input) == 0) {
      return Error{"input.missing", fmt::format("input \"{}\" is not given", printable(port.name))};
    }
  }
  HADAL_TRY(std::vector<Tensor> bound, runtime::bind_inputs(ports, given, 0));
  for (size_t i = 0; i < bound.size(); ++i) inputs[numbers[i]] = std::move(bound[i]);
  return inputs;
}

Status run(hadal_session& session, const hadal_array* arrays, size_t count, hadal_outputs** out) {
  HADAL_TRY(const std::vector<Tensor> inputs, inputs_of(session.compiled->loaded.program, arrays, count));
  const std::lock_guard lock(session.mutex);
  machine::ValueCounts counts;
  HADAL_TRY(std::vector<Tensor> outputs, session.values.run(inputs, counts));
  *out = new hadal_outputs{session.compiled, std::move(outputs)};
  return {};
}

Status copy_state(hadal_session& session, hadal_outputs** out) {
  const isa::Program& program = session.compiled->loaded.program;
  std::vector<Tensor> outputs;
  for (const isa::Port& port : program.outputs) outputs.push_back({port.dtype, port.shape, {}});
  const std::lock_guard lock(session.mutex);
  for (const isa::State& state : program.states) outputs[state.output] = session.values.state(state);
  *out = new hadal_outputs{session.compiled, std::move(outputs)};
  return {};
}

}  // namespace

}  // namespace hadal::api

using hadal::api::guarded;

hadal_status* hadal_session_new(const hadal_program* program, hadal_session** out) {
  return guarded([&] { return hadal::api::open(program->compiled, out); });
}
void hadal_session_free(hadal_session* session) { delete session; }

hadal_status* hadal_session_run(hadal_session* session, const hadal_array* inputs, size_t count, hadal_outputs** out) {
  return guarded([&] { return hadal::api::run(*session, inputs, count, out); });
}
hadal_status* hadal_session_state(hadal_session* session, hadal_outputs** out) {
  return guarded([&] { return hadal::api::copy_state(*session, out); });
}
hadal_status* hadal_session_reset(hadal_session* session) {
  return guarded([&]() -> hadal::Status {
    const std::lock_guard lock(session->mutex);
    session->values.reset();
    return {};
  });
}
void hadal_session_cancel(hadal_session* session) { hadal::machine::cancel(session->values.machine()); }

void hadal_outputs_free(hadal_outputs* outputs) { delete outputs; }
void hadal_outputs_get(const hadal_outputs* outputs, size_t index, hadal_array* out) {
  const hadal::Tensor& tensor = outputs->tensors[index];
  hadal::api::show(outputs->compiled->loaded.program.outputs[index].name, tensor.dtype, tensor.shape, *out);
  out->data = tensor.bytes.view.data();
  out->bytes = tensor.bytes.view.size();
}
