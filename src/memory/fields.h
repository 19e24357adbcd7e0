// The table of a memory description's fields: reading, checking and documenting are loops over it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "base/units.h"
#include "memory/device.h"

namespace hadal::memory {

using Access = std::variant<int64_t& (*)(Device&), double& (*)(Device&), bool& (*)(Device&), std::string& (*)(Device&)>;

struct Field {
  std::string_view name;  ///< "organization.banks": table and key of the file.
  Access access;
  Unit unit = Unit::number;
  double low = 0, high = 0;  ///< Range in the base unit, ends included.
  std::string_view meaning;
  bool needed = true;
  std::string_view words = {};  ///< Of a text: what it may be, separated by spaces; empty for free text.
};
std::span<const Field> fields();

/// A timing parameter, in clocks or as a time that is rounded up to clocks.
struct Parameter {
  std::string_view name, meaning;
  bool needed = true;
};
std::span<const Parameter> parameters();

}  // namespace hadal::memory
