// The reference manuals of descriptions, printed from their tables of fields.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

namespace hadal::chip {

/// A field as a manual tells of it.
struct FieldLine {
  std::string_view name;  ///< "matrix.rows": table and key of the file.
  std::string kind, range;
  std::string_view needed, meaning;
};

/// "a number" with its unit's noun, or "a whole number".
std::string number_kind(Unit unit, bool whole);
/// "1 B … 1 MiB"; nothing where there is no range.
std::string range_text(double low, double high, Unit unit);

/// A chapter for each table of the file, in order, under its heading; the empty table is the top.
std::string field_tables(std::span<const FieldLine> lines, std::string_view (*heading)(std::string_view table));

}  // namespace hadal::chip
