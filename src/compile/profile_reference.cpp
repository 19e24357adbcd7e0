// docs/profiles.md, printed from the table of fields.
#include "chip/field_tables.h"
#include "compile/profile_fields.h"

namespace hadal::compile {

namespace {

constexpr std::string_view introduction = R"(# Profiles of measured software

Written by `profiles_reference()` from the table of fields in `src/compile/profile_fields.cpp`; a test keeps the two equal.

A measured time is that of a chip *and* of the software on it: its tiles, its passes over memory, its calls. A profile
describes that software, in TOML as a chip is ([chips.md](chips.md)): a figure is a value, or a value with the place that
it comes from. With `--profile NAME|FILE`, `hadal run` and `hadal compile` do as this software does, rather than look for
a schedule of their own, and the machine is as the measured runs had it. A profile says nothing of single shapes.

- `hadal run --profile NAME` takes the profile's chip; another one with `--chip` is an error.
- A program file has the schedule, and not what the measured runs had of the machine: give `--profile` to run it as well.
- Shipped profiles are those of `$HADAL_PROFILES`, else those beside the binary, else those of the source tree.
- An unknown field, a missing one, a wrong unit or a value out of range is an error with file, line and field.
)";

std::string_view heading(std::string_view table) {
  if (table == "machine") return "What the measured runs had of the chip.";
  if (table == "launch") return "Calls: what is not said of a kind is as for products.";
  if (table == "layers") return "What holds for all layers.";
  if (table == "matmul") return "Matrix products.";
  if (table == "convolution") return "Convolutions.";
  if (table == "softmax") return "Softmax, but for that of attention.";
  if (table == "normalize") return "Layer norm and its kin.";
  if (table == "attention") return "Two products with a softmax between.";
  return "The profile as a whole.";
}

std::string kind_of(const ProfileField& field) {
  if (std::holds_alternative<bool& (*)(Profile&)>(field.access)) return "true or false";
  if (std::holds_alternative<std::string& (*)(Profile&)>(field.access))
    return field.words.empty() ? "text" : std::string(field.words);
  if (std::holds_alternative<std::vector<Block>& (*)(Profile&)>(field.access)) return "blocks";
  if (std::holds_alternative<std::vector<int64_t>& (*)(Profile&)>(field.access)) return "whole numbers";
  return chip::number_kind(field.unit, std::holds_alternative<int64_t& (*)(Profile&)>(field.access));
}

}  // namespace

std::string profiles_reference() {
  std::vector<chip::FieldLine> lines;
  for (const ProfileField& field : profile_fields())
    lines.push_back({field.name, kind_of(field), chip::range_text(field.low, field.high, field.unit),
                     field.needed ? "yes" : "no", field.meaning});
  return std::string(introduction) + chip::field_tables(lines, heading);
}

}  // namespace hadal::compile
