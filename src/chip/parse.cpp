// From the fields of a document to a Chip that makes sense, or the first error.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/suggest.h"
#include "chip/entry.h"
#include "chip/fields.h"
#include "chip/files.h"

namespace hadal::chip {

namespace {

Error unknown_field(const std::string& name, const Entry& entry) {
  std::vector<std::string_view> names{"extends"};
  for (const Field& field : fields()) names.push_back(field.name);
  const std::string hint = did_you_mean(name, names);
  return {"chip.unknown", fmt::format("there is no field \"{}\"", printable(name)), entry.place,
          hint.empty() ? "docs/chips.md lists the fields" : hint};
}

constexpr std::string_view kind = "chip";

Status set_field(const Field& field, const Entry& entry, Chip& chip) {
  if (const auto* truth = std::get_if<bool& (*)(Chip&)>(&field.access)) {
    if (!std::holds_alternative<bool>(entry.value)) return wrong_type(kind, entry, "true or false");
    (*truth)(chip) = std::get<bool>(entry.value);
    return {};
  }
  if (const auto* text = std::get_if<std::string& (*)(Chip&)>(&field.access)) {
    HADAL_TRY(const std::string given, text_in(kind, entry, field.words));
    (*text)(chip) = printable(given);
    return {};
  }
  HADAL_TRY(const double value, number_in(kind, entry, field.unit));
  HADAL_CHECK(check_range(kind, entry, value, field.low, field.high, field.unit));
  const bool whole = std::holds_alternative<int64_t& (*)(Chip&)>(field.access) && field.unit != Unit::seconds;
  if (whole && value != std::floor(value)) return wrong_type(kind, entry, "a whole number");
  set_number(field, chip, value);
  return {};
}

/// What no single field can tell. `place` gives the place of a field of the document.
template <class PlaceOf>
Status check_together(const Chip& chip, const PlaceOf& place) {
  const auto fail = [&](std::string_view field, std::string message, std::string remedy) {
    return Error{"chip.together", std::move(message), place(field), std::move(remedy)};
  };
  const Network& network = chip.network;
  if (network.topology == "mesh" && network.x * network.y != chip.cores)
    return fail("network.x",
                fmt::format("a mesh of {} x {} has {} nodes, but there are {} cores", network.x, network.y,
                            network.x * network.y, chip.cores),
                "network.x times network.y is cores");
  if (network.topology == "none" && chip.cores != 1)
    return fail("network.topology", fmt::format("{} cores need a network", chip.cores), "mesh or crossbar");

  const auto& rates = chip.matrix.rows_per_cycle;
  if (rates.empty())
    return fail("matrix.rows", "the array multiplies no type",
                "give matrix.rows_per_cycle.bf16 or another type's rate");
  if (chip.matrix.f32_passes > 0 && !rates.contains(DType::bf16))
    return fail("matrix.f32_passes", "f32 by bf16 passes needs a bf16 rate",
                "give matrix.rows_per_cycle.bf16, or f32_passes = 0");
  if (chip.matrix.f32_passes == 2)
    return fail("matrix.f32_passes", "two passes drop a product that f32 accuracy needs",
                "1 rounds to bf16, 3 keep f32");
  const double tile = 4.0 * static_cast<double>(chip.matrix.columns * chip.scratchpad.accumulator_tiles);
  if (static_cast<double>(chip.scratchpad.accumulator_bytes) < tile)
    return fail("scratchpad.accumulator_bytes", "the accumulators do not hold one row of each tile",
                fmt::format("4 bytes x matrix.columns x accumulator_tiles is {}", quantity_text(tile, Unit::bytes)));
  if (chip.memory.interleave_bytes % chip.dma.burst_bytes != 0)
    return fail(
        "memory.interleave_bytes",
        fmt::format("channels of {} B split a burst of {} B", chip.memory.interleave_bytes, chip.dma.burst_bytes),
        "a multiple of dma.burst_bytes");
  if (chip.peak_watts > 0 && chip.idle_watts > chip.peak_watts)
    return fail("idle_watts", "more power at rest than at full load", "idle_watts is at most peak_watts");
  return {};
}

/// The document of `text` over those that it extends: a chip's own fields win, sources with them.
Result<Document> merged(std::string text, std::string file) {
  std::vector<std::string> chain{file};
  Document all;
  while (true) {
    HADAL_TRY(Document document, read_document(text, file));
    const auto extends = document.extract("extends");
    all.merge(document);  // Keeps what is there: the extending file's.
    if (extends.empty()) return all;
    const auto* base = std::get_if<std::string>(&extends.mapped().value);
    if (!base) return wrong_type(kind, extends.mapped(), "the name of a chip in quotes");
    auto found = find_extended(*base, file);
    if (!found) return std::move(found).error().at(extends.mapped().place);
    file = found.value();
    if (std::find(chain.begin(), chain.end(), file) != chain.end())
      return Error{"chip.extends", fmt::format("\"{}\" extends itself", printable(*base)), extends.mapped().place,
                   "break the circle"};
    if (chain.size() >= max_extends)
      return Error{"chip.extends",
                   fmt::format("more than {} descriptions extend one another", max_extends),
                   extends.mapped().place,
                   {}};
    chain.push_back(file);
    auto read = read_description(file);
    if (!read) return std::move(read).error().at(extends.mapped().place);
    text = std::move(read).value();
  }
}

}  // namespace

Result<Chip> parse_chip(const std::string& text, const std::string& file) {
  HADAL_TRY(const Document document, merged(text, file));
  Chip chip;
  chip.file = file;
  for (const auto& [name, entry] : document) {
    const Field* field = field_named(name);
    if (!field) return unknown_field(name, entry);
    HADAL_CHECK(set_field(*field, entry, chip));
    if (!entry.source.empty()) chip.sources[name] = entry.source;
  }

  std::string missing;
  for (const Field& field : fields())
    if (is_needed(field, chip) && !document.contains(std::string(field.name)))
      missing += (missing.empty() ? "" : ", ") + std::string(field.name);
  if (!missing.empty())
    return Error{"chip.missing", "not given: " + missing, printable(file),
                 "give every field, or `extends = \"hadal-1\"` and only what differs"};

  // By f32_passes, f32 follows from bf16: three passes run at a third of its rate.
  Matrix& matrix = chip.matrix;
  if (const auto f32 = document.find("matrix.rows_per_cycle.f32"); matrix.f32_passes > 0 && f32 != document.end())
    return Error{"chip.together", "the f32 rate follows from bf16 and f32_passes", f32->second.place,
                 "remove it, or give f32_passes = 0"};
  const auto place = [&](std::string_view field) {
    const auto entry = document.find(std::string(field));
    return entry == document.end() ? printable(file) : entry->second.place;
  };
  HADAL_CHECK(check_together(chip, place));
  if (matrix.f32_passes > 0) {
    matrix.rows_per_cycle[DType::f32] = matrix.rows_per_cycle.at(DType::bf16) / static_cast<double>(matrix.f32_passes);
    chip.sources["matrix.rows_per_cycle.f32"] = "derived: the bf16 rate over f32_passes";
  }
  return chip;
}

}  // namespace hadal::chip
