#include "chip/entry.h"

#include <utility>

namespace hadal::chip {

std::string found_text(const Entry& entry) {
  if (const auto* text = std::get_if<std::string>(&entry.value)) return fmt::format("\"{}\"", printable(*text, 60));
  if (const auto* whole = std::get_if<int64_t>(&entry.value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&entry.value)) return fmt::format("{}", *real);
  return std::get<bool>(entry.value) ? "true" : "false";
}

Error wrong_type(std::string_view kind, const Entry& entry, std::string_view expected, std::string remedy) {
  return {fmt::format("{}.type", kind), fmt::format("expected {}, found {}", expected, found_text(entry)), entry.place,
          std::move(remedy)};
}

Result<double> number_in(std::string_view kind, const Entry& entry, Unit unit) {
  if (const auto* text = std::get_if<std::string>(&entry.value)) {
    auto value = parse_quantity(*text, unit);
    if (!value) return std::move(value).error().at(entry.place);
    return value;
  }
  if (std::holds_alternative<bool>(entry.value)) return wrong_type(kind, entry, info(unit).noun);
  if (unit != Unit::number)
    return Error{"units.missing", fmt::format("{} has no unit; expected {}", found_text(entry), info(unit).noun),
                 entry.place, fmt::format("write it like \"{}\"", info(unit).example)};
  const auto* whole = std::get_if<int64_t>(&entry.value);
  return whole ? static_cast<double>(*whole) : std::get<double>(entry.value);
}

Status check_range(std::string_view kind, const Entry& entry, double value, double low, double high, Unit unit) {
  if (value >= low && value <= high) return {};
  return Error{fmt::format("{}.range", kind), fmt::format("{} is out of range", found_text(entry)), entry.place,
               fmt::format("it is at least {} and at most {}", quantity_text(low, unit), quantity_text(high, unit))};
}

Result<std::string> text_in(std::string_view kind, const Entry& entry, std::string_view words) {
  const auto* text = std::get_if<std::string>(&entry.value);
  if (!text) return wrong_type(kind, entry, "a text in quotes");
  const bool known = words.empty() || fmt::format(" {} ", words).find(" " + *text + " ") != std::string::npos;
  if (known && !text->empty()) return *text;
  return wrong_type(kind, entry, words.empty() ? "a text" : "a word",
                    words.empty() ? "" : fmt::format("one of: {}", words));
}

}  // namespace hadal::chip
