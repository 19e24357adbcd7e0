#include "report/text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/result.h"

namespace hadal::report {

namespace {

/// Letters of UTF-8 text: bytes that do not continue another.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}
/// Bytes of the first `letters` letters.
size_t bytes_of_letters(std::string_view text, size_t letters) {
  size_t at = 0;
  for (; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 && letters-- == 0) break;
  return at;
}

/// Three significant digits without an exponent, for 0.001 <= |value| < 10000.
std::string three_digits(double value) {
  const double size = std::fabs(value);
  return fmt::format("{:.{}f}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

}  // namespace

std::string grouped(int64_t value) {
  std::string digits = fmt::format("{}", value);
  const size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

int64_t whole(double value) { return std::isfinite(value) ? std::llround(std::min(value, 9e18)) : 0; }

std::string listed(const std::vector<std::string>& names, size_t width) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name, width);
  return text;
}

std::string scaled(double value, std::string_view unit) {
  static constexpr std::array<std::string_view, 10> prefixes{"p", "n", "u", "m", "", "k", "M", "G", "T", "P"};
  if (value == 0) return fmt::format("0 {}", unit);
  if (!std::isfinite(value)) return fmt::format("{} {}", value, unit);
  size_t prefix = 4;
  while (std::fabs(value) >= 999.5 && prefix + 1 < prefixes.size()) value /= 1000, ++prefix;
  while (std::fabs(value) < 0.9995 && prefix > 0) value *= 1000, --prefix;
  const bool whole = prefix == 4 && value == std::floor(value);  // "12 B", not "12.0 B"
  return fmt::format("{} {}{}", whole ? fmt::format("{:.0f}", value) : three_digits(value), prefixes[prefix], unit);
}

std::string percent(double share) {
  const double value = share * 100;
  if (value == 0) return "0 %";
  if (std::fabs(value) < 0.01) return "<0.01 %";
  return fmt::format("{:.{}f} %", value, std::fabs(value) < 0.995 ? 2 : 1);
}

std::string fitted(std::string_view text, size_t width) {
  const std::string safe = printable(text, std::max<size_t>(4 * width, 400));
  const size_t letters = width_of(safe);
  if (letters <= width) return safe;
  const size_t kept = width - 2, front = kept / 2;  // The ends of a long name tell more than its middle.
  return safe.substr(0, bytes_of_letters(safe, front)) + ".." +
         safe.substr(bytes_of_letters(safe, letters - (kept - front)));
}

std::string Table::text(std::string_view indent) const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(width_of(column.title));
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string out;
  const auto line = [&](const auto& cell, size_t count) {
    std::string text(indent);
    for (size_t i = 0; i < count; ++i) {
      const std::string& content = cell(i);
      const std::string pad(widths[i] - width_of(content), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].align == Align::right ? pad + content : content + pad;
    }
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  };
  const bool titled = std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.title.empty(); });
  if (titled) line([&](size_t i) -> const std::string& { return columns_[i].title; }, columns_.size());
  for (const auto& row : rows_) line([&](size_t i) -> const std::string& { return row[i]; }, row.size());
  return out;
}

}  // namespace hadal::report
