// hadal check: can an order of queues, cores and transfers change a value?
#include <CLI/CLI.hpp>

#include "cli/console.h"
#include "cli/flags.h"
#include "machine/check/run.h"
#include "report/summary.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

Result<int> execute(const ModelFlags& flags) {
  HADAL_TRY(runtime::Source source, flags.source());
  source.allow_absent_data = true;
  runtime::limit_memory(source.memory_limit);
  Progress progress;
  source.progress = [&](const std::string& stage) { progress.show(stage); };
  HADAL_TRY(const runtime::Loaded loaded, runtime::load(source));
  progress.show("check");
  const isa::Program& program = loaded.program;
  const machine::CheckOptions options{.memory_limit = source.memory_limit};
  HADAL_TRY(const machine::Checked checked, machine::check_program(program, program.limits.cores, options));
  HADAL_CHECK(machine::status_of(program, checked));
  HADAL_CHECK(put(stdout, fmt::format("{}: {}", printable(flags.model), report::checked_text(checked))));
  return 0;
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
  flags->add_to(check, "A .onnx model, or a program: its file, or its text (.hasm)");
  flags->add_inputs_to(check);
  check.footer(footer);
  check.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
