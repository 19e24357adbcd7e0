// hadal verify: does a program keep the rules?
#include <CLI/CLI.hpp>

#include "base/errors.h"
#include "cli/command.h"
#include "cli/console.h"
#include "isa/budget.h"
#include "isa/encode.h"
#include "isa/file.h"
#include "isa/verify.h"
#include "report/text.h"

namespace hadal::cli {

namespace {

Result<int> execute(const std::string& file) {
  HADAL_TRY(const isa::Program program, isa::read_program(file));
  const std::vector<Error> errors = isa::verify_all(program);
  if (!errors.empty()) return together(errors);
  std::string text = fmt::format(
      "{}: keeps all {} rules; {} instructions in {}, {} layers\n", printable(file), isa::rules().size(),
      program.code.size(), report::scaled(static_cast<double>(isa::code_bytes(program)), "B"), program.layers.size());
  if (isa::least_instructions(program) > isa::walk_budget)
    text += fmt::format("note: {} instructions were walked; those behind them are checked as they are executed\n",
                        report::grouped(static_cast<int64_t>(isa::walk_budget)));
  HADAL_CHECK(put(stdout, text));
  return 0;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  CLI::App& verify = *app.add_subcommand("verify", "Check a program against every rule of docs/isa.md");
  auto file = std::make_shared<std::string>();
  verify.add_option("PROGRAM", *file, "A program file")->type_name("")->required();
  verify.footer("Example:\n  hadal verify model.hadal");
  verify.callback([file, &action] { action = [file] { return execute(*file); }; });
}

}  // namespace hadal::cli
