// Errors are values: what went wrong, where, and what to do about it.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace hadal {

/// A diagnosed error. Printed as
///   error[code]: message
///     place
///     remedy
struct Error {
  std::string code;         ///< Dotted and stable: "chip.unit", "onnx.attribute", "matmul.C1".
  std::string message;      ///< What was expected and what was found.
  std::string place = {};   ///< File, line, node or field; empty where there is none.
  std::string remedy = {};  ///< What the user can do; empty where it is plain from the message.

  /// The text a user sees. Control characters of hostile names are escaped.
  [[nodiscard]] std::string text() const;

  /// The same error with a place, unless it has one already.
  [[nodiscard]] Error at(std::string where) && {
    if (place.empty()) place = std::move(where);
    return std::move(*this);
  }
};

/// Either a value or an Error. `if (!r) return r.error();` or HADAL_TRY.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
  [[nodiscard]] Error error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  [[nodiscard]] bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const& { return *error_; }
  [[nodiscard]] Error error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};
using Status = Result<void>;

#define HADAL_CONCAT_(a, b) a##b
#define HADAL_CONCAT(a, b) HADAL_CONCAT_(a, b)
#define HADAL_TRY_(result, declaration, expression)   \
  auto result = (expression);                         \
  if (!result.ok()) return std::move(result).error(); \
  declaration = std::move(result).value()

/// HADAL_TRY(auto x, f()): x is f()'s value, or the function returns f()'s error.
#define HADAL_TRY(declaration, expression) HADAL_TRY_(HADAL_CONCAT(hadal_result_, __LINE__), declaration, expression)

/// HADAL_CHECK(g()): returns g()'s error, if it has one.
#define HADAL_CHECK(expression)                                                                       \
  do {                                                                                                \
    if (auto hadal_status = (expression); !hadal_status.ok()) return std::move(hadal_status).error(); \
  } while (false)

/// Text that is safe on a terminal: control characters and broken UTF-8 are escaped, long text is cut.
std::string printable(std::string_view text, size_t longest = 200);

}  // namespace hadal
