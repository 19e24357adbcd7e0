// The table of fields: reading, checking, printing, scaling and documenting a chip description are loops over it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/units.h"
#include "chip/chip.h"

namespace hadal::chip {

/// When a description must give a field.
enum class Need {
  always,
  optional,  ///< Stays at "none" or 0 = unknown.
  vector,    ///< If vector.lanes is not 0.
  network,   ///< If network.topology is not "none".
  mesh,      ///< If network.topology is "mesh".
};

/// Where in a Chip a field's value is. Times are kept as femtoseconds.
using Access = std::variant<int64_t& (*)(Chip&), double& (*)(Chip&), bool& (*)(Chip&), std::string& (*)(Chip&)>;

struct Field {
  std::string_view name;  ///< "matrix.rows": table and key of the file.
  Access access;
  Unit unit = Unit::number;
  double low = 0, high = 0;  ///< Range of the value in the base unit, ends included.
  std::string_view meaning;
  Need need = Need::always;
  std::string_view words = {};  ///< Of a text: the allowed words, separated by spaces; empty for free text.
};

std::span<const Field> fields();
const Field* field_named(std::string_view name);
/// Whether `chip` (read as far as its counts go) must give the field.
bool is_needed(const Field& field, const Chip& chip);

/// A value in the base unit of the field, from and to the chip's own representation. Not for texts and truths.
double number_of(const Field& field, Chip& chip);
void set_number(const Field& field, Chip& chip, double value);
/// The value as a user writes it: "8 MiB", "true", "mesh".
std::string value_text(const Field& field, Chip& chip);

}  // namespace hadal::chip
