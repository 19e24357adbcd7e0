// Debuggers: a run instruction by instruction.
#include "api/handles.h"
#include "debug/open.h"

namespace hadal::api {

namespace {

Status open(const std::shared_ptr<const Compiled>& compiled, const hadal_array* arrays, size_t count,
            hadal_debugger** out) {
  const runtime::Source& source = compiled->source;
  const std::string place = printable(source.file.string());
  if (!compiled->values)
    return Error{"run.values", "the program was loaded without values", place, "load it with them: no_values = 0"};
  if (runtime::lacks_scales(source)) return runtime::needs_scales(source);
  std::vector<runtime::GivenInput> given;
  for (size_t i = 0; i < count; ++i) {
    HADAL_TRY(Tensor tensor, tensor_of(arrays[i]));
    given.push_back({{arrays[i].name, {}, {}, false}, std::move(tensor), {}});
  }
  const runtime::Loaded& loaded = compiled->loaded;
  HADAL_TRY(const debug::Start start,
            debug::start_of(loaded, std::move(given), 0, {1, compiled->exact, source.memory_limit, place}));
  HADAL_TRY(debug::Session session, debug::Session::of(loaded.program, loaded.chip, start.options, start.inputs));
  *out = new hadal_debugger{compiled, std::move(session)};
  return {};
}

}  // namespace

}  // namespace hadal::api

using hadal::api::guarded;

hadal_status* hadal_debugger_new(const hadal_program* program, const hadal_array* inputs, size_t count,
                                 hadal_debugger** out) {
  return guarded([&] { return hadal::api::open(program->compiled, inputs, count, out); });
}
void hadal_debugger_free(hadal_debugger* debugger) { delete debugger; }

hadal_status* hadal_debugger_do(hadal_debugger* debugger, const char* command, char** text) {
  return guarded([&]() -> hadal::Status {
    HADAL_TRY(const std::string reply, debugger->session.execute(command));
    *text = hadal::api::copied(reply);
    return {};
  });
}
