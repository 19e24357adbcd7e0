// hadal debug: a program instruction by instruction, and the layer that goes wrong.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "cli/console.h"
#include "cli/flags.h"
#include "cli/program_text.h"
#include "debug/open.h"
#include "debug/words.h"
#include "isa/file.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

struct DebugFlags {
  ModelFlags model;
  std::vector<std::string> inputs, commands;
  std::optional<std::string> script, tolerance, seed;
  std::optional<std::string> bisect;  ///< Empty where the flag stands without a name.
  std::string numerics = "fast";
};

Status check(const DebugFlags& flags) {
  const bool commands = flags.script || !flags.commands.empty();
  if (flags.bisect && commands)
    return Error{"usage.contradiction", "--bisect runs to the end by itself: leave --script and --command out"};
  if (flags.script && !flags.commands.empty())
    return Error{"usage.contradiction", "--script and --command both say what to do"};
  if (flags.tolerance && !flags.bisect)
    return Error{"usage.contradiction", "--tolerance is about comparison: give --bisect too"};
  return {};
}

Result<debug::Wish> wish_of(const DebugFlags& flags, int64_t memory_limit) {
  debug::Wish wish;
  HADAL_TRY(const std::string numerics, read_choice(flags.numerics, "--numerics", {"fast", "exact"}));
  wish.exact = numerics == "exact";
  if (flags.seed) {
    HADAL_TRY(const int64_t seed, read_integer(*flags.seed, "--seed", 0, INT64_MAX));
    wish.seed = static_cast<uint64_t>(seed);
  }
  std::vector<runtime::NamedFile> files;
  for (const std::string& text : flags.inputs) {
    HADAL_TRY(files.emplace_back(), runtime::parse_input(text));
  }
  HADAL_TRY(wish.inputs, runtime::read_inputs(files, memory_limit));
  return wish;
}

/// Commands one after the other, each told before what it prints. The first error ends them.
Result<int> run_commands(debug::Session& session, const std::vector<std::string>& commands, const std::string& place) {
  for (size_t i = 0; i < commands.size() && !session.quitted(); ++i) {
    if (debug::first_word(commands[i]).first.empty()) continue;
    HADAL_CHECK(put(stdout, fmt::format("> {}\n", printable(commands[i], 2000))));
    const auto reply = session.execute(commands[i]);
    if (!reply) {
      Error error = reply.error();
      error.place = fmt::format("{}:{}{}{}", place, i + 1, error.place.empty() ? "" : "\n  ", error.place);
      return error;
    }
    HADAL_CHECK(put(stdout, *reply));
  }
  return 0;
}

/// Commands from a terminal. Errors are told, and it goes on.
Result<int> talk(debug::Session& session) {
  std::string line;
  HADAL_TRY(const std::string here, session.execute("where"));
  HADAL_CHECK(put(stdout, here));
  while (!session.quitted()) {
    HADAL_CHECK(put(stdout, "(hadal) "));
    if (!std::getline(std::cin, line)) break;
    const auto reply = session.execute(line);
    HADAL_CHECK(put(stdout, reply ? *reply : debug::one_line(reply.error()) + "\n"));
  }
  return 0;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Result<int> debug_by_commands(const DebugFlags& flags, const runtime::Source& source, Progress& progress) {
  std::optional<ProgramText> script;
  if (flags.script) {
    HADAL_TRY(script, read_program_text(*flags.script));
  }
  HADAL_TRY(debug::Wish wish, wish_of(flags, source.memory_limit));
  HADAL_TRY(const debug::Subject subject, debug::open(source, std::move(wish)));
  HADAL_TRY(debug::Session session, subject.session());
  progress.clear();
  if (!flags.commands.empty()) return run_commands(session, flags.commands, "--command");
  if (!script && ::isatty(STDIN_FILENO) == 1) return talk(session);
  if (!script) {
    HADAL_TRY(script, read_program_text("-"));
  }
  return run_commands(session, lines_of(script->text), printable(script->file));
}

Result<int> bisect(const DebugFlags& flags, const runtime::Source& source, Progress& progress) {
  std::optional<double> tolerance;
  if (flags.tolerance) {
    HADAL_TRY(tolerance, read_tolerance(*flags.tolerance));
  }
  HADAL_TRY(debug::Wish wish, wish_of(flags, source.memory_limit));
  std::optional<runtime::Source> model;
  if (!flags.bisect->empty()) {
    model = source;
    model->file = *flags.bisect;
  }
  isa::Program program;
  HADAL_TRY(const debug::Bisection found, debug::bisect(source, model, std::move(wish), tolerance, &program));
  progress.clear();
  HADAL_CHECK(put(stdout, debug::text_of(found, program)));
  return found.differences.empty() && !found.failure ? 0 : 1;
}

Result<int> execute(const DebugFlags& flags) {
  HADAL_CHECK(check(flags));
  HADAL_TRY(runtime::Source source, flags.model.source());
  runtime::limit_memory(source.memory_limit);
  Progress progress;
  source.progress = [&](const std::string& stage) { progress.show(stage); };
  return flags.bisect ? bisect(flags, source, progress) : debug_by_commands(flags, source, progress);
}

constexpr const char* footer =
    R"(Cores take turns, each until it must wait, always in the same order. Without --script and --command, commands come
from stdin; help lists them. docs/debugger.md tells more.

Exit code: 0; 1 where a command of a script or the program fails, or --bisect finds a difference; 2 for a wrong
command line.

Examples:
  hadal debug model.onnx --command "break nan" --command continue
  hadal debug model.onnx --bisect
  hadal debug edited.hasm --command "break line 40" --command continue --command "list line"
  hadal debug edited.hadal --bisect model.onnx)";

}  // namespace

void add_debug(CLI::App& app, Action& action) {
  CLI::App& debug =
      *app.add_subcommand("debug", "Step through a program, look into it, or find the layer that differs");
  auto flags = std::make_shared<DebugFlags>();
  flags->model.add_to(debug, "A .onnx model, or a program: its file, or its text (.hasm)");
  constexpr const char* group = "Debugging";
  debug.add_option("--script", flags->script, "Commands from a file, one a line; - is stdin")
      ->type_name("FILE|-")
      ->group(group);
  debug.add_option("--command", flags->commands, "A command; may be repeated")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->group(group);
  debug
      .add_option("--bisect", flags->bisect,
                  "Find the first layer that computes something else than the model's graph; of a program, the model "
                  "that it was compiled from")
      ->type_name("[MODEL]")
      ->expected(0, 1)
      ->group(group);
  debug
      .add_option("--tolerance", flags->tolerance,
                  "Of --bisect: largest max |got - want| / max |want|; default: 1e-3 in f32, 2e-2 in bf16")
      ->type_name("REL")
      ->group(group);
  debug.add_option("--input", flags->inputs, "An input from a file: .npy, .png or .jpg; may be repeated")
      ->type_name("NAME=FILE[,OPTIONS]")
      ->expected(1)
      ->take_all()
      ->group(group);
  debug.add_option("--seed", flags->seed, "Of inputs that are not given; default: 0")->type_name("N")->group(group);
  debug
      .add_option("--numerics", flags->numerics,
                  "fast: vectorised kernels (default); exact: plain loops in a fixed order, slow")
      ->type_name("fast|exact")
      ->group(group);
  debug.footer(footer);
  debug.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
