// The subcommands of `hadal`, one a file.
#pragma once

#include <functional>

#include "base/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library names itself so.
class App;
}

namespace hadal::cli {

/// What the command line asks for; returns the exit code.
using Action = std::function<Result<int>()>;

/// Each adds its subcommand to `app`; when the command line names it, `action` becomes what it does.
void add_run(CLI::App& app, Action& action);
void add_compile(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_dis(CLI::App& app, Action& action);
void add_asm(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_debug(CLI::App& app, Action& action);
void add_chips(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace hadal::cli
