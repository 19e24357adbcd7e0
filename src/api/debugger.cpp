// Debuggers: a run instruction by instruction.
#include "api/handles.h"
#include "debug/open.h"
#include "report/json.h"

namespace hadal::api {

namespace {

Status open(const std::shared_ptr<const Compiled>& compiled, const hadal_array* arrays, size_t count,
            hadal_debugger** out) {
  const runtime::Source& source = compiled->source;
  const std::string place = printable(source.file.string());
  if (!compiled->values)
    return Error{"run.values", "the program was loaded without values", place, "load it with them: no_values = 0"};
  if (runtime::lacks_scales(source)) return runtime::needs_scales(source);
  HADAL_TRY(std::vector<runtime::GivenInput> given, inputs_of(arrays, count));
  const runtime::Loaded& loaded = compiled->loaded;
  HADAL_TRY(const debug::Start start,
            debug::start_of(loaded, std::move(given), 0, {1, compiled->exact, source.memory_limit, place}));
  HADAL_TRY(debug::Session session,
            debug::Session::of(loaded.program, loaded.chip, loaded.text, start.options, start.inputs));
  *out = new hadal_debugger{compiled, std::move(session)};
  return {};
}

Status bisect(const char* file, const char* model, const hadal_options& options, const hadal_array* arrays,
              size_t count, const double* tolerance, char** json) {
  HADAL_TRY(const runtime::Source source, source_of(file, options));
  std::optional<runtime::Source> compared;
  if (model != nullptr) {
    compared = source;
    compared->file = model;
  }
  debug::Wish wish{.exact = options.exact != 0};
  HADAL_TRY(wish.inputs, inputs_of(arrays, count));
  isa::Program program;
  HADAL_TRY(const debug::Bisection found,
            debug::bisect(source, compared, std::move(wish),
                          tolerance != nullptr ? std::optional(*tolerance) : std::nullopt, &program));
  *json = copied(report::json_of(found, program));
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

hadal_status* hadal_bisect(const char* file, const char* model, const hadal_options* options, const hadal_array* inputs,
                           size_t count, const double* tolerance, char** json) {
  return guarded([&] {
    return hadal::api::bisect(file, model, options != nullptr ? *options : hadal_options{}, inputs, count, tolerance,
                              json);
  });
}
