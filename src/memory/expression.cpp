#include "memory/expression.h"

#include <algorithm>
#include <charconv>

#include "base/suggest.h"

namespace hadal::memory {

namespace {

/// The words of a text, with + and - as words of their own.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const auto is_end = [&](char c) { return c == ' ' || c == '\t' || c == '+' || c == '-'; };
    size_t end = at;
    while (end < text.size() && !is_end(text[end])) ++end;
    if (end > at) words.push_back(text.substr(at, end - at));
    if (end < text.size() && (text[end] == '+' || text[end] == '-')) words.push_back(text.substr(end, 1));
    at = end + 1;
  }
  return words;
}

bool read_whole(std::string_view word, int64_t& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size() && value >= 0 && value <= 1'000'000;
}

Result<Command> command_named(std::string_view word) {
  const auto found = std::find(command_names.begin(), command_names.end(), word);
  if (found != command_names.end()) return static_cast<Command>(found - command_names.begin());
  const std::string hint = did_you_mean(word, command_names);
  return Error{"memory.constraint",
               fmt::format("there is no command \"{}\"", printable(word)),
               {},
               hint.empty() ? fmt::format("one of: {}", fmt::join(command_names, " ")) : hint};
}

Result<std::vector<Command>> commands_of(std::string_view words) {
  std::vector<Command> commands;
  for (const std::string_view word : words_of(words)) {
    HADAL_TRY(const Command command, command_named(word));
    commands.push_back(command);
  }
  if (commands.empty())
    return Error{"memory.constraint", "a constraint needs commands on both sides of ->", {}, "like \"RD -> PRE\""};
  return commands;
}

/// REF and PREA name no bank, so nothing smaller than a pseudo-channel can hold them apart.
bool names_no_bank(Command command) { return command == Command::ref || command == Command::prea; }

}  // namespace

Result<int64_t> evaluate(std::string_view sum, const std::map<std::string, int64_t, std::less<>>& parameters) {
  int64_t total = 0, sign = 1;
  bool wants_value = true;
  for (const std::string_view word : words_of(sum)) {
    if (word == "+" || word == "-") {
      if (wants_value) return Error{"memory.constraint", "a sum has two signs in a row", {}, "like \"tCWL + tBL\""};
      sign = word == "+" ? 1 : -1;
      wants_value = true;
      continue;
    }
    int64_t value = 0;
    if (const auto found = parameters.find(word); found != parameters.end())
      value = found->second;
    else if (!read_whole(word, value))
      return Error{"memory.constraint",
                   fmt::format("\"{}\" is no parameter of [timing] that is given, nor a number", printable(word)),
                   {},
                   "give it in [timing]"};
    if (!wants_value) return Error{"memory.constraint", "a sum lacks a sign", {}, "like \"tCWL + tBL\""};
    total += sign * value;
    wants_value = false;
  }
  if (wants_value) return Error{"memory.constraint", "a sum ends without a value", {}, "like \"tCWL + tBL\""};
  return total;
}

Result<std::vector<Constraint>> read_constraint(std::string_view line, Scope scope, int64_t clocks) {
  const size_t arrow = line.find("->");
  if (arrow == line.npos) return Error{"memory.constraint", "a constraint has no ->", {}, "like \"RD RDA -> WR WRA\""};
  std::string_view before = line.substr(0, arrow);
  int64_t count = 1;
  if (const size_t space = before.find(' '); space != before.npos && read_whole(before.substr(0, space), count))
    before.remove_prefix(space);
  if (count < 1 || count > 64)
    return Error{"memory.constraint", fmt::format("a window of {} commands", count), {}, "1 to 64"};
  HADAL_TRY(const auto from, commands_of(before));
  HADAL_TRY(const auto to, commands_of(line.substr(arrow + 2)));
  std::vector<Constraint> constraints;
  for (const Command first : from)
    for (const Command second : to) {
      if (scope > Scope::pseudo_channel && (names_no_bank(first) || names_no_bank(second)))
        return Error{
            "memory.constraint", "REF and PREA name no bank", {}, "write it under [constraints.pseudo_channel]"};
      constraints.push_back({scope, first, second, clocks, static_cast<int>(count), std::string(line)});
    }
  return constraints;
}

}  // namespace hadal::memory
