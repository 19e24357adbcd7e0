// Internal to the assembler: a line of text as tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hadal::isa {

struct Token {
  enum class Kind { word, number, string, sign, end };
  Kind kind = Kind::end;
  std::string_view text;  ///< As written; of a string, between the quotes.
  size_t column = 0;      ///< From 0.
};

/// `name` where it is a plain word, else in quotes with escapes: what the lexer reads back to the same bytes.
std::string spelled(std::string_view name);
/// The bytes that a string token stands for; nothing where an escape is wrong.
std::optional<std::string> unquoted(std::string_view text);

/// Where a line stands, for errors.
struct LinePlace {
  std::string_view file, line;
  size_t number = 0;  ///< From 1.

  /// An error at a column, with the line and a caret under it.
  [[nodiscard]] Error error(const char* code, std::string message, size_t column) const;
};

/// Splits a line; the last token is `end`. A `;` begins a comment. Errors: asm.character, asm.string.
Result<std::vector<Token>> tokens_of(const LinePlace& place);

}  // namespace hadal::isa
