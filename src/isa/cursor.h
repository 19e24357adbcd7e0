// Internal to the assembler: reads the tokens of one line.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "isa/lexer.h"

namespace hadal::isa {

class Cursor {
 public:
  Cursor(const LinePlace& place, std::vector<Token> tokens) : place_(place), tokens_(std::move(tokens)) {}

  [[nodiscard]] const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  /// Whether the next token is this word or sign; it is not taken.
  [[nodiscard]] bool sees(std::string_view text, size_t ahead = 0) const {
    const Token& token = peek(ahead);
    return (token.kind == Token::Kind::word || token.kind == Token::Kind::sign) && token.text == text;
  }
  bool accept(std::string_view text) {
    if (!sees(text)) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() const { return peek().kind == Token::Kind::end; }
  [[nodiscard]] Error fail(const char* code, std::string message) const {
    return place_.error(code, std::move(message), peek().column);
  }
  [[nodiscard]] Error expected(std::string_view what) const;

  Status expect(std::string_view text);
  /// The line must end here.
  Status end() const;
  Result<std::string> name();
  Result<int64_t> integer(int64_t least, int64_t most);
  Result<uint64_t> natural();
  template <class T>
  Result<T> number() {
    auto value = integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    if (!value) return std::move(value).error();
    return static_cast<T>(*value);
  }
  /// The bits of an f32: a decimal number, or the bits themselves in hexadecimal.
  Result<uint32_t> real();
  [[nodiscard]] bool sees_register() const;
  /// "r0" to "r63".
  Result<uint8_t> register_number();
  /// `[` item, … `]`, also empty.
  template <class F>
  Status list(F item) {
    if (auto status = expect("["); !status) return status;
    while (!accept("]")) {
      if (auto status = item(); !status) return status;
      if (!sees("]"))
        if (auto status = expect(","); !status) return status;
    }
    return {};
  }
  void step() { ++at_; }
  /// Goes back to a token, to point at it in an error.
  [[nodiscard]] size_t mark() const { return at_; }
  void back(size_t mark) { at_ = mark; }

 private:
  LinePlace place_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace hadal::isa
