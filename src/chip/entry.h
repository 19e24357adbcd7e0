// Reading an entry of a description, whatever it describes. Codes of errors begin with `kind`: "chip", "memory".
#pragma once

#include <string>
#include <string_view>

#include "base/units.h"
#include "chip/document.h"

namespace hadal::chip {

/// The value as it stands in the file.
std::string found_text(const Entry& entry);
/// KIND.type at the entry's place.
Error wrong_type(std::string_view kind, const Entry& entry, std::string_view expected, std::string remedy = {});
/// A number in the base unit of `unit`. Errors: KIND.type, units.*.
Result<double> number_in(std::string_view kind, const Entry& entry, Unit unit);
/// Refuses what is not within `low` .. `high` (NaN as well): KIND.range.
Status check_range(std::string_view kind, const Entry& entry, double value, double low, double high, Unit unit);
/// A text that is not empty, and one of `words` (separated by spaces) where these are given. Error: KIND.type.
Result<std::string> text_in(std::string_view kind, const Entry& entry, std::string_view words);

}  // namespace hadal::chip
