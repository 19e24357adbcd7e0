#include "debug/words.h"

#include <fmt/ranges.h>

#include <charconv>

namespace hadal::debug {

namespace {

constexpr std::string_view spaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(spaces);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

}  // namespace

std::pair<std::string, std::string> first_word(std::string_view text) {
  text = trimmed(text);
  const size_t end = std::min(text.find_first_of(spaces), text.size());
  return {std::string(text.substr(0, end)), std::string(trimmed(text.substr(end)))};
}

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

Result<int64_t> whole_number(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) return value;
  return Error{"debug.number",
               fmt::format("a whole number from {} to {} is needed, found \"{}\"", least, most, printable(text, 60))};
}

std::string text_of_index(const std::vector<int64_t>& index) { return fmt::format("[{}]", fmt::join(index, ", ")); }

std::string one_line(const Error& error) {
  std::string out = fmt::format("error[{}]: {}", error.code, error.message);
  for (const std::string& part : {error.place, error.remedy})
    if (!part.empty()) out += "; " + part;
  for (char& c : out)
    if (c == '\n') c = ' ';
  return out;
}

}  // namespace hadal::debug
