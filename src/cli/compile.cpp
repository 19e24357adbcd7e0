// hadal compile: a model to a program file.
#include <CLI/CLI.hpp>

#include "cli/console.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "isa/encode.h"
#include "isa/file.h"
#include "report/text.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

struct CompileFlags {
  ModelFlags model;
  std::string program;
};

std::string summary_of(const runtime::Loaded& loaded, const std::string& file) {
  const isa::Program& program = loaded.program;
  uint64_t weights = 0;
  for (const isa::WeightEntry& weight : program.weights) weights += weight.size;
  std::string out;
  for (const std::string& note : loaded.notes) out += fmt::format("note: {}\n", printable(note, 2000));
  return out + fmt::format("{}: for {}, {} layers, {} instructions in {}, weights {}; compiled in {}\n",
                           printable(file), printable(loaded.chip.name), program.layers.size(), program.code.size(),
                           report::scaled(static_cast<double>(isa::code_bytes(program)), "B"),
                           report::scaled(static_cast<double>(weights), "B"),
                           report::scaled(loaded.import_seconds + loaded.compile_seconds, "s"));
}

Result<int> execute(const CompileFlags& flags) {
  HADAL_TRY(runtime::Source source, flags.model.source());
  if (flags.program == "-") return Error{"usage.value", "--output needs a file: a program does not go to stdout"};
  if (runtime::is_program(source.file))
    return Error{"usage.program", "expected a model, found a program, which is compiled already",
                 printable(flags.model.model)};
  HADAL_CHECK(check_output("--output", flags.program, flags.model.model));
  runtime::limit_memory(source.memory_limit);
  Progress progress;
  source.progress = [&](const std::string& stage) { progress.show(stage); };
  HADAL_TRY(const runtime::Loaded loaded, runtime::load(source));
  HADAL_CHECK(isa::write_program(loaded.program, flags.program));
  progress.clear();
  HADAL_CHECK(put(stdout, summary_of(loaded, flags.program)));
  return 0;
}

}  // namespace

void add_compile(CLI::App& app, Action& action) {
  CLI::App& compile = *app.add_subcommand("compile", "Compile a model to a program file");
  auto flags = std::make_shared<CompileFlags>();
  flags->model.add_to(compile, "A .onnx model");
  flags->model.add_inputs_to(compile);
  compile.add_option("-o,--output", flags->program, "The program file to write")->type_name("PROGRAM")->required();
  compile.footer("Example:\n  hadal compile model.onnx --chip hadal-edge --precision bf16 -o model.hadal");
  compile.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
