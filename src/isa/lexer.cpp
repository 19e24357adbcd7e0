#include "isa/lexer.h"

#include <algorithm>

namespace hadal::isa {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_word(char c) { return begins_word(c) || is_digit(c) || c == '.'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t number_length(std::string_view text) {
  size_t n = 0;
  if (text.starts_with("0x")) {
    for (n = 2; n < text.size() && hex_digit(text[n]) >= 0;) ++n;
    return n;
  }
  const auto digits = [&] {
    while (n < text.size() && is_digit(text[n])) ++n;
  };
  digits();
  if (n + 1 < text.size() && text[n] == '.' && is_digit(text[n + 1])) {
    ++n;
    digits();
  }
  if (n < text.size() && text[n] == 'e') {
    const size_t sign = n + 1 < text.size() && (text[n + 1] == '-' || text[n + 1] == '+') ? 1 : 0;
    if (n + 1 + sign < text.size() && is_digit(text[n + 1 + sign])) {
      n += 1 + sign;
      digits();
    }
  }
  return n;
}

/// Length between the quotes, or npos.
size_t string_length(std::string_view text) {
  for (size_t n = 0; n < text.size(); ++n) {
    if (text[n] == '"') return n;
    if (text[n] == '\\') ++n;
  }
  return std::string_view::npos;
}

}  // namespace

std::string spelled(std::string_view name) {
  if (!name.empty() && begins_word(name[0]) && std::all_of(name.begin(), name.end(), in_word)) return std::string(name);
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (c >= 0x20 && c < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out + '"';
}

std::optional<std::string> unquoted(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const int high = i + 3 < text.size() ? hex_digit(text[i + 2]) : -1,
              low = i + 3 < text.size() ? hex_digit(text[i + 3]) : -1;
    if (next == 'x' && high >= 0 && low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 3;
    } else if (next == '"' || next == '\\') {
      out += next;
      ++i;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

Error LinePlace::error(const char* code, std::string message, size_t column) const {
  // Of a long line, what is around the column.
  constexpr size_t before = 60, width = 120;
  const size_t start = column > before ? column - before : 0;
  const auto shown_part = [&](std::string_view part) {
    std::string text(part);
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = c == '\t' ? ' ' : '?';
    return text;
  };
  const std::string part = shown_part(line.substr(std::min(start, line.size()), width));
  return {code, std::move(message),
          fmt::format("{}:{}:{}\n  {}\n  {}^", printable(file), number, column + 1, part,
                      std::string(column - start, ' '))};
}

Result<std::vector<Token>> tokens_of(const LinePlace& place) {
  const std::string_view line = place.line;
  std::vector<Token> tokens;
  size_t at = 0;
  while (at < line.size()) {
    const char c = line[at];
    const std::string_view rest = line.substr(at);
    size_t length = 1;
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at;
      continue;
    }
    if (c == ';') break;
    if (begins_word(c)) {
      length = static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), in_word) - rest.begin());
      tokens.push_back({Token::Kind::word, rest.substr(0, length), at});
    } else if (is_digit(c)) {
      length = number_length(rest);
      tokens.push_back({Token::Kind::number, rest.substr(0, length), at});
    } else if (c == '"') {
      const size_t inside = string_length(rest.substr(1));
      if (inside == std::string_view::npos) return place.error("asm.string", "the string does not end", at);
      tokens.push_back({Token::Kind::string, rest.substr(1, inside), at});
      length = inside + 2;
    } else if (rest.starts_with("<=") || rest.starts_with("..")) {
      length = 2;
      tokens.push_back({Token::Kind::sign, rest.substr(0, 2), at});
    } else if (std::string_view("[](),=+-*%#").find(c) != std::string_view::npos) {
      tokens.push_back({Token::Kind::sign, rest.substr(0, 1), at});
    } else {
      return place.error("asm.character", "the text has no place for this character", at);
    }
    at += length;
  }
  tokens.push_back({Token::Kind::end, {}, std::min(at, line.size())});
  return tokens;
}

}  // namespace hadal::isa
