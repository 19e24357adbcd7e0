#include "isa/cursor.h"

#include <bit>
#include <charconv>

#include "isa/program.h"

namespace hadal::isa {

namespace {

/// Reads all of `text`, or fails.
template <class T>
bool parse(std::string_view text, T& value, int base) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc() && stop == end;
}

bool parse(std::string_view text, uint64_t& value) {
  return text.starts_with("0x") ? parse(text.substr(2), value, 16) : parse(text, value, 10);
}

}  // namespace

Error Cursor::expected(std::string_view what) const {
  return fail("asm.syntax", at_end() ? fmt::format("expected {}, found the end of the line", what)
                                     : fmt::format("expected {}, found `{}`", what, printable(peek().text, 40)));
}

Status Cursor::expect(std::string_view text) {
  if (accept(text)) return {};
  return expected(fmt::format("`{}`", text));
}

Status Cursor::end() const {
  if (at_end()) return {};
  return expected("the end of the line");
}

Result<std::string> Cursor::name() {
  const Token& token = peek();
  if (token.kind == Token::Kind::word) {
    step();
    return std::string(token.text);
  }
  if (token.kind != Token::Kind::string) return expected("a name");
  auto text = unquoted(token.text);
  if (!text) return fail("asm.string", "the string has an escape that is none of \\\\ \\\" \\x00 to \\xff");
  step();
  return *std::move(text);
}

Result<uint64_t> Cursor::natural() {
  uint64_t value = 0;
  if (peek().kind != Token::Kind::number || !parse(peek().text, value)) return expected("a whole number");
  step();
  return value;
}

Result<int64_t> Cursor::integer(int64_t least, int64_t most) {
  const size_t start = at_;
  const bool negative = accept("-");
  auto magnitude = natural();
  if (!magnitude) return std::move(magnitude).error();
  const uint64_t bits = negative ? uint64_t{0} - *magnitude : *magnitude;
  const auto value = static_cast<int64_t>(bits);
  const bool held = negative ? *magnitude <= uint64_t{1} << 63 : value >= 0;
  if (held && value >= least && value <= most) return value;
  back(start);
  return fail("asm.range", fmt::format("{}{} is not {} to {}", negative ? "-" : "", *magnitude, least, most));
}

Result<uint32_t> Cursor::real() {
  const size_t start = at_;
  const bool negative = accept("-");
  const Token& token = peek();
  if (token.kind != Token::Kind::number) return expected("a number");
  if (token.text.starts_with("0x")) {
    uint64_t bits = 0;
    if (negative || !parse(token.text, bits) || bits > UINT32_MAX) {
      back(start);
      return fail("asm.range", "the bits of an f32 are 0x0 to 0xffffffff");
    }
    step();
    return static_cast<uint32_t>(bits);
  }
  float value = 0;
  const char* last = token.text.data() + token.text.size();
  const auto [stop, error] = std::from_chars(token.text.data(), last, value);
  if (error != std::errc() || stop != last) return fail("asm.range", "an f32 does not hold this number");
  step();
  return std::bit_cast<uint32_t>(negative ? -value : value);
}

bool Cursor::sees_register() const {
  const Token& token = peek();
  uint64_t number = 0;
  return token.kind == Token::Kind::word && token.text.size() >= 2 && token.text[0] == 'r' &&
         parse(token.text.substr(1), number, 10);
}

Result<uint8_t> Cursor::register_number() {
  uint64_t number = registers;
  if (!sees_register() || !parse(peek().text.substr(1), number, 10) || number >= registers)
    return expected("a register, r0 to r63");
  step();
  return static_cast<uint8_t>(number);
}

}  // namespace hadal::isa
