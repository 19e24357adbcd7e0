// Quantities as text: "940 MHz", "32 MiB", "1.2 TB/s", "600 ns", "16 cycles", "5 W".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hadal {

/// What a quantity measures. A value is always in the base unit, named in brackets.
enum class Unit {
  number,                 ///< A count or a ratio, without a unit [1].
  bytes,                  ///< [B]
  bytes_per_second,       ///< [B/s]
  bytes_per_cycle,        ///< [B/cycle]
  hertz,                  ///< [Hz]
  seconds,                ///< [s]
  cycles,                 ///< [cycle]
  watts,                  ///< [W]
  operations_per_second,  ///< [op/s]
};

/// "a frequency", with an example of how it is written: "1.5 GHz".
struct UnitInfo {
  std::string_view noun, example;
};
const UnitInfo& info(Unit unit);

/// Reads a number, a space (or none) and a unit of the wanted kind. Decimal prefixes are powers of 1000 (kB, MB …),
/// binary ones of 1024 (KiB, MiB …); case matters. A plain number may be a fraction, "1/3".
/// Independent of the locale. Errors: units.number, units.missing, units.unknown, units.range (not finite).
Result<double> parse_quantity(std::string_view text, Unit unit);

/// The shortest usual way to write a value of the base unit: 8388608 bytes is "8 MiB", 3.3e12 bytes a second "3.3
/// TB/s". Reading it again gives the value to six digits, a size exactly.
std::string quantity_text(double value, Unit unit);

}  // namespace hadal
