// Words and numbers of the debugger's commands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hadal::debug {

/// The first word, and what follows it without spaces around.
std::pair<std::string, std::string> first_word(std::string_view text);
/// A name that may stand in quotes.
std::string unquoted(std::string_view text);
/// Reads a whole number in [least, most]. Errors: debug.number.
Result<int64_t> whole_number(std::string_view text, int64_t least, int64_t most);
/// "[1, 2, 3]".
std::string text_of_index(const std::vector<int64_t>& index);
/// An error with its place and remedy on one line.
std::string one_line(const Error& error);

}  // namespace hadal::debug
