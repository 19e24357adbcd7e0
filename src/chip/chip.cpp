#include "chip/chip.h"

#include "chip/fields.h"

namespace hadal::chip {

double Chip::peak_macs_per_second(DType type) const {
  const auto rate = matrix.rows_per_cycle.find(type);
  if (rate == matrix.rows_per_cycle.end()) return 0;
  const auto cells = static_cast<double>(cores * matrix.count * matrix.rows * matrix.columns);
  return cells * rate->second * clock.hertz;
}

std::vector<FieldRow> describe(const Chip& chip) {
  Chip copy = chip;  // Fields are reached through a mutable chip.
  const auto source = [&](std::string_view name) {
    const auto found = chip.sources.find(std::string(name));
    return found == chip.sources.end() ? std::string() : found->second;
  };
  std::vector<FieldRow> rows;
  for (const Field& field : fields()) {
    const bool is_rate = field.name.starts_with("matrix.rows_per_cycle.");
    if (is_rate && !chip.matrix.rows_per_cycle.contains(*dtype_named(field.name.substr(field.name.rfind('.') + 1))))
      continue;
    if (field.need != Need::optional && !is_needed(field, chip)) continue;
    const bool lacks_cache = field.name.starts_with("cache.") && chip.cache.bytes == 0;
    if (lacks_cache || (field.name == "memory.hashed" && !chip.memory.hashed)) continue;
    const bool unknown = field.unit == Unit::watts && number_of(field, copy) == 0;
    rows.push_back({std::string(field.name), field.unit == Unit::number ? "" : std::string(info(field.unit).noun),
                    std::string(field.meaning), unknown ? "unknown" : value_text(field, copy), source(field.name)});
  }
  for (const auto& [type, rate] : chip.matrix.rows_per_cycle)
    rows.push_back({fmt::format("peak.{}", name_of(type)), "multiply-accumulates a second",
                    fmt::format("Peak of all cores, {} operands.", name_of(type)),
                    fmt::format("{:.4g} TMAC/s", chip.peak_macs_per_second(type) * 1e-12),
                    "derived: cores x count x rows x columns x rows_per_cycle x clock"});
  return rows;
}

Chip scaled(const Chip& chip, double factor) {
  Chip out = chip;
  for (const Field& field : fields()) {
    const bool is_rate =
        field.unit == Unit::hertz || field.unit == Unit::bytes_per_second || field.unit == Unit::operations_per_second;
    if (is_rate) set_number(field, out, number_of(field, out) * factor);
    if (field.unit == Unit::seconds) set_number(field, out, number_of(field, out) / factor);
  }
  return out;
}

}  // namespace hadal::chip
