// Numbers and tables as a person reads them. No locale: points are points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hadal::report {

/// "1,234,567"
std::string grouped(int64_t value);
/// To the nearest integer, of what one holds; 0 for what is no number.
int64_t whole(double value);
/// "a, b", each cut to `width` letters; control characters escaped.
std::string listed(const std::vector<std::string>& names, size_t width);
/// Three digits and a decimal prefix: scaled(12345678, "B") is "12.3 MB", scaled(0.00042, "s") "420 us", scaled(0, "s")
/// "0 s".
std::string scaled(double value, std::string_view unit);
/// Of a share 0..1: "41.2 %", "0.03 %", "0 %".
std::string percent(double share);
/// Cut to `width` letters, with ".." for what is left out in the middle; control characters escaped.
std::string fitted(std::string_view text, size_t width);

/// A table in plain text: columns as wide as their widest cell, two spaces between them.
class Table {
 public:
  enum class Align : uint8_t { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Every line begins with `indent`; titles first, where any column has one.
  [[nodiscard]] std::string text(std::string_view indent = "") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hadal::report
