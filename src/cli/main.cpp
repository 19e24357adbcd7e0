// The `hadal` command: finds the subcommand, runs it, and turns whatever goes wrong into one clear error.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <sstream>

#include "base/suggest.h"
#include "base/unfinished.h"
#include "cli/command.h"
#include "cli/console.h"

namespace hadal::cli {

namespace {

constexpr const char* footer = R"(Examples:
  hadal run model.onnx                                   values and cycles on hadal-1
  hadal run model.onnx --input image=cat.png --chip hadal-edge --precision bf16
  hadal compile model.onnx -o model.hadal                then: hadal run model.hadal
  hadal dis model.hadal                                  the program as text
  hadal explain model.onnx                               why it takes as long, and what would help
  hadal debug model.onnx                                 step through it, and look into it
  hadal chips hadal-1                                    every figure of a chip

hadal COMMAND --help tells the flags of a command.)";

/// Words that begin with a dash and that no flag of `app` has.
std::string unknown_flag(const CLI::App& app) {
  for (const std::string& word : app.remaining())
    if (word.size() > 1 && word[0] == '-') return word.substr(0, word.find('='));
  return {};
}

/// The subcommand that was named, else the whole command.
CLI::App& innermost(CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : *named.back();
}

Error usage_error(CLI::App& app, const CLI::ParseError& error) {
  CLI::App& command = innermost(app);
  const std::string help = fmt::format("see: {} --help", &command == &app ? "hadal" : "hadal " + command.get_name());
  const std::string flag = unknown_flag(command);
  if (flag.empty()) return Error{"usage.arguments", printable(error.what(), 400), {}, help};
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string hint = did_you_mean(flag, candidates);
  return Error{"usage.flag", fmt::format("unknown flag {}", printable(flag)), {}, hint.empty() ? help : hint};
}

/// A first word that is no subcommand.
Status check_command(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) return Error{"usage.command", "a command is missing", {}, "see: hadal --help"};
  const std::string& word = words[0];
  if (word.starts_with('-')) return {};
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return {};
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string hint = did_you_mean(word, candidates);
  return Error{"usage.command",
               fmt::format("unknown command \"{}\"", printable(word)),
               {},
               hint.empty() ? "see: hadal --help" : hint};
}

/// "hadal help" is "hadal --help", and "hadal help COMMAND" is "hadal COMMAND --help".
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] != "help") return words;
  words.erase(words.begin());
  words.resize(std::min<size_t>(words.size(), 1));
  words.emplace_back("--help");
  return words;
}

/// The parser puts two empty lines between groups of flags.
std::string without_gaps(std::string text) {
  for (size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

Result<int> dispatch(std::vector<std::string> words) {
  CLI::App app("Hadal: a deep-learning platform whose chip is virtual", "hadal");
  app.set_version_flag("--version", "hadal " HADAL_VERSION, "Print the version");
  app.footer(footer);
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "Print this help");
  app.get_formatter()->label("REQUIRED", "(required)");
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("OPTIONS", "FLAGS");
  app.get_formatter()->column_width(34);
  Action action;
  add_run(app, action);
  add_compile(app, action);
  add_train(app, action);
  add_dis(app, action);
  add_asm(app, action);
  add_verify(app, action);
  add_check(app, action);
  add_inspect(app, action);
  add_explain(app, action);
  add_debug(app, action);
  add_chips(app, action);
  add_doctor(app, action);
  HADAL_CHECK(check_command(app, words));
  std::ranges::reverse(words);  // The parser takes them from the back.
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return usage_error(app, error);
    std::ostringstream text;  // --help and --version
    app.exit(error, text, text);
    HADAL_CHECK(put(stdout, without_gaps(text.str())));
    return 0;
  }
  return action();
}

Error out_of_memory() {
  return Error{"memory.limit",
               "memory did not suffice",
               {},
               "a larger --memory-limit, a smaller model or batch, or --no-values"};
}

/// An exception that nobody caught, in whichever thread.
[[noreturn]] void last_words() {
  Error error{"internal", "an unexpected error"};
  if (const auto current = std::current_exception()) {
    try {
      std::rethrow_exception(current);
    } catch (const std::bad_alloc&) {
      error = out_of_memory();
    } catch (const std::exception& unexpected) {
      error.message = fmt::format("an unexpected error: {}", printable(unexpected.what()));
    } catch (...) {
    }
  }
  (void)fail(error);
  std::_Exit(1);
}

/// Stands in for standard streams that the caller closed: else the next file opened would take their number, and what
/// is printed would go into it. What stands in cannot be written, so that printing still fails.
void hold_standard_streams() {
  for (int stream = ::open("/dev/null", O_RDONLY); stream >= 0; stream = ::open("/dev/null", O_RDONLY))
    if (stream > STDERR_FILENO) {
      ::close(stream);
      return;
    }
}

/// A mapped file whose end was cut off meanwhile.
void on_vanished_bytes(int) {
  constexpr std::string_view text = "error[file.read]: a file became shorter while it was read\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  std::_Exit(1);
}

}  // namespace

int run(int argc, char** argv) {
  hold_standard_streams();
  remove_unfinished_on_signals();
  std::signal(SIGBUS, on_vanished_bytes);
  std::signal(SIGPIPE, SIG_IGN);  // Writing to a reader that has gone away fails instead of ending the process.
  std::signal(SIGXFSZ, SIG_IGN);  // So does a file that grows beyond a limit.
  std::set_terminate(last_words);
  try {
    const auto result = dispatch(arguments_of(argc, argv));
    return result ? *result : fail(result.error());
  } catch (const std::bad_alloc&) {
    return fail(out_of_memory());
  } catch (const std::exception& unexpected) {
    return fail(Error{"internal", fmt::format("an unexpected error: {}", printable(unexpected.what()))});
  }
}

}  // namespace hadal::cli

int main(int argc, char** argv) { return hadal::cli::run(argc, argv); }
