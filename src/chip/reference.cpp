// docs/chips.md, printed from the table of fields.
#include "chip/field_tables.h"
#include "chip/fields.h"

namespace hadal::chip {

namespace {

constexpr std::string_view introduction = R"(# Chip descriptions

Written by `chips_reference()` from the table of fields in `src/chip/fields.cpp`; a test keeps the two equal.

A description is a TOML file. A figure is a value, or a value with the place that it comes from:

```toml
extends = "hadal-1"        # every field not given here is that chip's
name = "hadal-1-slow"
summary = "The flagship with half its memory bandwidth."

[memory]
bytes_per_second = { value = "1.65 TB/s", source = "what if: half the stacks" }
```

- `extends` names a description in the same folder or a shipped one; chains are at most 8 long and have no circles.
- A quantity is a text with its unit: decimal prefixes (kB, MB, GB, TB) are powers of 1000, binary ones (KiB, MiB, GiB,
  TiB) of 1024; times are s, ms, us, ns, ps, fs; cycles are those of `clock`. A count or a ratio is a plain number, a
  ratio also a fraction in quotes, `"1/3"`.
- An unknown field, a missing one, a wrong unit or a value out of range is an error with file, line and field.
- `hadal run --chip FILE.toml` uses a file, `--chip NAME` a shipped description: those of `$HADAL_CHIPS`, else those
  installed beside the binary, else those of the source tree.
)";

std::string_view heading(std::string_view table) {
  if (table == "matrix") return "The matrix engine of a core: one or more systolic arrays.";
  if (table == "vector") return "The vector engine of a core. With `lanes = 0` its other fields are not needed.";
  if (table == "scratchpad") return "The memory of a core, and its accumulators.";
  if (table == "sequencer") return "What issues instructions to the queues of a core.";
  if (table == "dma") return "The transfer engines of a core.";
  if (table == "network")
    return "Between cores and memory. With `topology = \"none\"` its other fields are not needed.";
  if (table == "cache")
    return "A cache between network and memory, shared by all cores. Without the table there is none.";
  if (table == "memory") return "The memory of the chip.";
  if (table == "host") return "The machine that the chip is plugged into: modelled, never measured.";
  return "The chip as a whole.";
}

std::string kind_text(const Field& field) {
  if (std::holds_alternative<bool& (*)(Chip&)>(field.access)) return "true or false";
  if (std::holds_alternative<std::string& (*)(Chip&)>(field.access))
    return field.words.empty() ? "text" : std::string(field.words);
  return number_kind(field.unit, std::holds_alternative<int64_t& (*)(Chip&)>(field.access));
}

std::string_view need_text(Need need) {
  switch (need) {
    case Need::always:
      return "yes";
    case Need::optional:
      return "no";
    case Need::vector:
      return "with lanes";
    case Need::network:
      return "with a network";
    case Need::mesh:
      return "with a mesh";
  }
  return "";
}

}  // namespace

std::string chips_reference() {
  std::vector<FieldLine> lines;
  for (const Field& field : fields())
    lines.push_back({field.name, kind_text(field), range_text(field.low, field.high, field.unit), need_text(field.need),
                     field.meaning});
  return std::string(introduction) + field_tables(lines, heading);
}

}  // namespace hadal::chip
