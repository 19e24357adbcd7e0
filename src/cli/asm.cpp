// hadal asm: text to a program file.
#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>

#include "base/files.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/output.h"
#include "isa/file.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

struct AsmFlags {
  std::string text, program;
};

struct Text {
  std::string text, file;
  std::filesystem::path folder;
};

Result<Text> read_text(const std::string& file) {
  const int64_t most = runtime::usable_memory() / 8;  // A text takes several times its size as a program being made.
  if (file != "-") {
    HADAL_TRY(const auto bytes, read_file(file, most));
    return Text{
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file, std::filesystem::path(file).parent_path()};
  }
  Text out{{}, "stdin", {}};
  std::array<char, 1 << 16> piece;
  while (const size_t n = std::fread(piece.data(), 1, piece.size(), stdin)) {
    out.text.append(piece.data(), n);
    if (static_cast<int64_t>(out.text.size()) > most)
      return Error{"file.size", fmt::format("the text has more than {} bytes", most), "stdin"};
  }
  if (std::ferror(stdin)) return Error{"file.read", "cannot read stdin"};
  return out;
}

Result<int> execute(const AsmFlags& flags) {
  if (flags.program == "-") return Error{"usage.value", "--output needs a file: a program does not go to stdout"};
  HADAL_CHECK(check_output("--output", flags.program, flags.text));
  HADAL_TRY(const Text text, read_text(flags.text));
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
