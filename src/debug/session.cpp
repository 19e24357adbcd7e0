#include "debug/session.h"

#include <algorithm>

#include "base/suggest.h"
#include "debug/tensors.h"
#include "debug/words.h"
#include "isa/check.h"
#include "isa/text.h"

namespace hadal::debug {

namespace {

constexpr int64_t listed_around = 5;  ///< Instructions or lines before and behind.
constexpr size_t listed_most = 1000;  ///< Characters of one.

Status nothing_behind(const std::string& rest, std::string_view command) {
  if (rest.empty()) return {};
  return Error{"debug.command", fmt::format("{} takes nothing, found \"{}\"", command, printable(rest, 80))};
}

/// The texts around one of them, numbered from `first`; `here` is pointed at.
std::string listed(std::span<const std::string> texts, int64_t first, int64_t here, int64_t around) {
  std::string out;
  const int64_t last = first + std::ssize(texts) - 1;
  for (int64_t i = std::max(around - listed_around, first); i <= std::min(around + listed_around, last); ++i)
    out += fmt::format("{} {:>5}  {}\n", i == here ? "->" : "  ", i,
                       printable(texts[static_cast<size_t>(i - first)], listed_most));
  return out;
}

}  // namespace

struct Session::Command {
  std::string_view name, arguments, what;
  Reply (Session::*execute)(const std::string& rest);
};

/// In the order of `help`; the first whose name begins with a word is meant by it.
const std::vector<Session::Command>& Session::commands() {
  static const std::vector<Command> list{
      {"step", "[N]", "execute one instruction, or N, of the core whose turn it is", &Session::step},
      {"next", "", "go on to the end of the first layer that has not ended", &Session::next},
      {"continue", "", "go on to a breakpoint, or the end", &Session::go_on},
      {"until", "CYCLE", "execute what has ended by that cycle, by the timing machine", &Session::until},
      {"break", "WHERE", "stop at: instruction N | line [FILE:]N | node NAME | address SPACE:FIRST[-LAST] | nan",
       &Session::add_break},
      {"delete", "[N]", "remove a breakpoint, or all", &Session::remove_break},
      {"info", "WHAT", "tell of: breakpoints | cores | layers | queues | registers | semaphores | tensors",
       &Session::info},
      {"print", "TENSOR[SLICE]", "print a tensor, or #N, or a part of it: x[0, 2:4, ::2]", &Session::print},
      {"list", "[[line] N]", "print the instructions around the next one, or N; or lines of the text", &Session::list},
      {"core", "[N]", "look at that core; without N, at the one whose turn it is", &Session::select},
      {"where", "", "tell what is executed next", &Session::where},
      {"help", "", "print this", &Session::help},
      {"quit", "", "end", &Session::quit},
  };
  return list;
}

Result<const Session::Command*> Session::command_named(const std::string& name) {
  for (const Command& command : commands())
    if (command.name.starts_with(name)) return &command;
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const std::string hint = did_you_mean(name, names);
  return Error{"debug.command",
               fmt::format("no command is called \"{}\"", printable(name, 80)),
               {},
               hint.empty() ? "help lists them" : hint};
}

Result<Session> Session::of(const isa::Program& program, const chip::Chip& chip, std::span<const std::string> text,
                            const machine::ValueOptions& options, const std::vector<Tensor>& inputs) {
  Session session;
  session.chip_ = &chip;
  session.text_ = text;
  const int64_t cores = std::min<int64_t>(program.limits.cores, chip.cores);
  HADAL_TRY(session.target_, Target::of(program, cores, options, inputs));
  session.texts_ = isa::instruction_texts(program);
  return session;
}

Result<std::string> Session::execute(std::string_view line) {
  const auto [name, rest] = first_word(line);
  if (name.empty() || name[0] == '#') return std::string();
  HADAL_TRY(const Command* command, command_named(name));
  return (this->*command->execute)(rest);
}

Session::Reply Session::run(const Target::Enough& enough) {
  HADAL_TRY(std::string reason, target_->run(enough));
  if (!reason.empty()) reason += '\n';
  HADAL_TRY(const std::string here, where({}));
  return reason + here;
}

Session::Reply Session::step(const std::string& rest) {
  int64_t left = 1;
  if (!rest.empty()) {
    HADAL_TRY(left, whole_number(rest, 1, INT64_MAX));
  }
  return run([&](const machine::Executed&) { return --left == 0; });
}

Session::Reply Session::next(const std::string& rest) {
  HADAL_CHECK(nothing_behind(rest, "next"));
  const std::optional<size_t> layer = target_->layers().open();
  if (!layer) return go_on({});
  HADAL_TRY(const std::string here, run([&](const machine::Executed&) { return target_->layers().ended(*layer); }));
  if (!target_->layers().ended(*layer)) return here;
  return fmt::format("layer {} has ended\n", printable(target_->program().layers[*layer].name)) + here;
}

Session::Reply Session::go_on(const std::string& rest) {
  HADAL_CHECK(nothing_behind(rest, "continue"));
  return run([](const machine::Executed&) { return false; });
}

Session::Reply Session::until(const std::string& rest) {
  HADAL_TRY(const Timeline* times, timeline());
  HADAL_TRY(cycle_, whole_number(rest, 0, times->cycles()));
  HADAL_CHECK(target_->run_to(times->ended_by(cycle_)));
  HADAL_TRY(const std::string here, where({}));
  return fmt::format("cycle {} of {}\n", cycle_, times->cycles()) + here;
}

Result<const Timeline*> Session::timeline() {
  if (!timeline_) {
    HADAL_TRY(timeline_, Timeline::of(target_->program(), *chip_));
  }
  return &*timeline_;
}

Session::Reply Session::add_break(const std::string& rest) {
  HADAL_TRY(Breakpoint breakpoint, parse_breakpoint(rest, target_->program()));
  breakpoint.number = ++breakpoints_made_;
  target_->breakpoints().push_back(breakpoint);
  return fmt::format("breakpoint {}: {}\n", breakpoint.number, printable(breakpoint.text));
}

Session::Reply Session::remove_break(const std::string& rest) {
  std::vector<Breakpoint>& list = target_->breakpoints();
  if (rest.empty()) {
    list.clear();
    return std::string();
  }
  HADAL_TRY(const int64_t number, whole_number(rest, 1, INT32_MAX));
  const auto found = std::ranges::find(list, static_cast<int>(number), &Breakpoint::number);
  if (found == list.end()) return Error{"debug.break", fmt::format("there is no breakpoint {}", number)};
  list.erase(found);
  return std::string();
}

/// A program that has failed can be looked into.
size_t Session::core() {
  if (selected_) return *selected_;
  (void)target_->stepper().turn();
  return target_->stepper().last_turn();
}

Session::Reply Session::select(const std::string& rest) {
  if (rest.empty()) {
    selected_.reset();
  } else {
    HADAL_TRY(const int64_t number, whole_number(rest, 0, static_cast<int64_t>(target_->stepper().cores()) - 1));
    selected_ = static_cast<size_t>(number);
  }
  return where({});
}

std::string Session::instruction_text(size_t core) const {
  const size_t index = target_->stepper().core(core).sequencer().index();
  return fmt::format("{}: {}", isa::place_of(target_->program(), index), texts_[index]);
}

Session::Reply Session::where(const std::string& rest) {
  HADAL_CHECK(nothing_behind(rest, "where"));
  const machine::Stepper& stepper = target_->stepper();
  HADAL_TRY(const std::optional<size_t> turn, target_->stepper().turn());
  std::string out = turn ? fmt::format("core {}, {}\n", *turn, instruction_text(*turn))
                         : fmt::format("the program has ended, {} instructions executed\n", target_->executed());
  if (selected_ && turn != selected_ && stepper.core(*selected_).waiting())
    out += fmt::format("core {}, {}\n", *selected_, instruction_text(*selected_));
  return out;
}

Session::Reply Session::print(const std::string& rest) {
  if (rest.empty()) return Error{"debug.command", "print needs a tensor", {}, "info tensors lists them"};
  const size_t number = core();
  return print_tensor(target_->program(), target_->stepper(), number, rest);
}

Session::Reply Session::list(const std::string& rest) {
  if (const auto [word, number] = first_word(rest); word == "line") return list_text(number);
  const int64_t instructions = std::ssize(texts_);
  const size_t number = core();
  const auto here = static_cast<int64_t>(target_->stepper().core(number).sequencer().index());
  int64_t around = here;
  if (!rest.empty()) {
    HADAL_TRY(around, whole_number(rest, 0, instructions - 1));
  }
  return listed(texts_, 0, here, around);
}

Session::Reply Session::list_text(const std::string& rest) {
  if (text_.empty())
    return Error{"debug.command", "the program was not assembled from a text", {}, "hadal dis PROGRAM -o FILE.hasm"};
  const size_t number = core();
  const int64_t here = line_number(target_->program(), target_->stepper().core(number).sequencer().index());
  int64_t around = here;
  if (!rest.empty()) {
    HADAL_TRY(around, whole_number(rest, 1, std::ssize(text_)));
  }
  return listed(text_, 1, here, around);
}

Session::Reply Session::help(const std::string& rest) {
  HADAL_CHECK(nothing_behind(rest, "help"));
  std::string out;
  for (const Command& command : commands())
    out += fmt::format("{:<22}  {}\n", fmt::format("{} {}", command.name, command.arguments), command.what);
  return out + "A command may be cut short: s, n, c, b, p.\n";
}

Session::Reply Session::quit(const std::string& rest) {
  HADAL_CHECK(nothing_behind(rest, "quit"));
  quitted_ = true;
  return std::string();
}

}  // namespace hadal::debug
