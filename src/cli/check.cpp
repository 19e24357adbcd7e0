// hadal check: can an order of queues, cores and transfers change a value?
#include <CLI/CLI.hpp>

#include "cli/console.h"
#include "cli/flags.h"
#include "cli/program_text.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "machine/check/run.h"
#include "report/summary.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

/// Looks at a program, and says what there was to look at.
Result<int> look_at(const isa::Program& program, const std::string& name, const std::vector<uint32_t>& lines,
                    int64_t memory_limit) {
  const machine::CheckOptions options{.memory_limit = memory_limit};
  HADAL_TRY(const machine::Checked checked, machine::check_program(program, program.limits.cores, options));
  HADAL_CHECK(machine::status_of(program, checked, lines, name));
  HADAL_CHECK(put(stdout, fmt::format("{}: {}", printable(name), report::checked_text(checked))));
  return 0;
}

Result<int> check_text(const std::string& file) {
  HADAL_TRY(const ProgramText text, read_program_text(file));
  std::vector<uint32_t> lines;
  HADAL_TRY(const isa::Program program, isa::assemble(text.text, text.file, text.folder, &lines));
  HADAL_CHECK(isa::verify_static(program));
  return look_at(program, file, lines, runtime::usable_memory());
}

Result<int> execute(const ModelFlags& flags) {
  if (flags.model.ends_with(".hasm")) return check_text(flags.model);
  HADAL_TRY(runtime::Source source, flags.source());
  source.allow_absent_data = true;
  runtime::limit_memory(source.memory_limit);
  Progress progress;
  source.progress = [&](const std::string& stage) { progress.show(stage); };
  HADAL_TRY(const runtime::Loaded loaded, runtime::load(source));
  progress.show("check");
  return look_at(loaded.program, flags.model, {}, source.memory_limit);
}

constexpr const char* footer =
    R"(Findings are races (reads and writes of the same bytes that nothing orders), reads of bytes that nothing has
written, boxes out of bounds, semaphores that overflow, and deadlocks, each with its instructions, the model's nodes
and the bytes; docs/isa.md lists the rules.

Exit code: 0; 1 where there is a finding; 2 for a wrong command line.

Examples:
  hadal check model.onnx --chip a100
  hadal check kernel.hasm)";

}  // namespace

void add_check(CLI::App& app, Action& action) {
  CLI::App& check = *app.add_subcommand("check", "Look for races, deadlocks and reads of what nothing has written");
  auto flags = std::make_shared<ModelFlags>();
  flags->add_to(check, "A .onnx model, a program, or the text of one (.hasm)");
  flags->add_inputs_to(check);
  check.footer(footer);
  check.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
