// hadal asm: text to a program file.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/output.h"
#include "cli/program_text.h"
#include "isa/file.h"
#include "isa/text.h"
#include "isa/verify.h"

namespace hadal::cli {

namespace {

struct AsmFlags {
  std::string text, program;
};

Result<int> execute(const AsmFlags& flags) {
  if (flags.program == "-") return Error{"usage.value", "--output needs a file: a program does not go to stdout"};
  HADAL_CHECK(check_output("--output", flags.program, flags.text));
  HADAL_TRY(const ProgramText text, read_program_text(flags.text));
  HADAL_TRY(const isa::Program program, isa::assemble(text.text, text.file, text.folder));
  HADAL_CHECK(isa::verify_static(program));
  HADAL_CHECK(isa::write_program(program, flags.program));
  return 0;
}

}  // namespace

void add_asm(CLI::App& app, Action& action) {
  CLI::App& assemble = *app.add_subcommand("asm", "Assemble a program from text");
  auto flags = std::make_shared<AsmFlags>();
  assemble.add_option("FILE", flags->text, "The text; - is stdin")->type_name("")->required();
  assemble.add_option("-o,--output", flags->program, "The program file to write")->type_name("PROGRAM")->required();
  assemble.footer("Example:\n  hadal asm kernel.hasm -o kernel.hadal && hadal run kernel.hadal");
  assemble.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
