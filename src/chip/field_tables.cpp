#include "chip/field_tables.h"

#include <fmt/format.h>

namespace hadal::chip {

std::string number_kind(Unit unit, bool whole) {
  if (unit != Unit::number) return std::string(info(unit).noun);
  return whole ? "a whole number" : "a number";
}

std::string range_text(double low, double high, Unit unit) {
  return high == 0 ? "" : fmt::format("{} … {}", quantity_text(low, unit), quantity_text(high, unit));
}

std::string field_tables(std::span<const FieldLine> lines, std::string_view (*heading)(std::string_view table)) {
  std::string out;
  std::string_view open = "?";
  for (const FieldLine& line : lines) {
    const size_t dot = line.name.find('.');
    const std::string_view table = dot == line.name.npos ? std::string_view{} : line.name.substr(0, dot);
    if (table != open) {
      open = table;
      out += table.empty() ? "\n## At the top\n\n" : fmt::format("\n## [{}]\n\n", table);
      out += fmt::format("{}\n\n| field | value | range | needed | meaning |\n|---|---|---|---|---|\n", heading(table));
    }
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", line.name.substr(table.empty() ? 0 : dot + 1), line.kind,
                       line.range, line.needed, line.meaning);
  }
  return out;
}

}  // namespace hadal::chip
