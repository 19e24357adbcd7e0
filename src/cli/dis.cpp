// hadal dis: a program file as text.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/output.h"
#include "isa/file.h"
#include "isa/text.h"

namespace hadal::cli {

namespace {

struct DisFlags {
  std::string program;
  std::optional<std::string> text;
  bool inline_weights = false;
};

Result<int> execute(const DisFlags& flags) {
  if (flags.text) HADAL_CHECK(check_output("--output", *flags.text, flags.program));
  HADAL_TRY(const isa::Program program, isa::read_program(flags.program));
  if (flags.text && flags.text != "-") {
    HADAL_CHECK(isa::write_text(program, *flags.text, flags.inline_weights));
    return 0;
  }
  // The text may be assembled from anywhere, so it names the program by its absolute path.
  std::error_code ignored;
  const std::string file = std::filesystem::absolute(flags.program, ignored).string();
  HADAL_TRY(
      const std::string text,
      isa::disassemble(program, flags.inline_weights ? isa::WeightText::inlined : isa::WeightText::program_file, file));
  HADAL_CHECK(put(stdout, text));
  return 0;
}

}  // namespace

void add_dis(CLI::App& app, Action& action) {
  CLI::App& dis = *app.add_subcommand("dis", "Print a program as text, which hadal asm reads");
  auto flags = std::make_shared<DisFlags>();
  dis.add_option("PROGRAM", flags->program, "A program file")->type_name("")->required();
  dis.add_option("-o,--output", flags->text, "Write the text there, and weights beside it; default: stdout")
      ->type_name("FILE");
  dis.add_flag("--inline", flags->inline_weights, "Put the weights' bytes into the text");
  dis.footer("Example:\n  hadal dis model.hadal | hadal asm - -o again.hadal      # the same bytes");
  dis.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
