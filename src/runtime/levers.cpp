#include "runtime/levers.h"

#include <algorithm>
#include <optional>

#include "base/parallel.h"
#include "chip/fields.h"

namespace hadal::runtime {

namespace {

/// What one would ask a chip's designer for. A name may be the beginning of several fields', which move together.
struct Figure {
  std::string_view field;
  double factor;
};
constexpr double twice = 2, half = 0.5;
constexpr Figure figures[] = {
    {"matrix.rows_per_cycle", twice},
    {"matrix.stage_cells", twice},
    {"matrix.weight_rows_per_cycle", twice},
    {"matrix.output_elements_per_cycle", twice},
    {"vector.lanes", twice},
    {"vector.latency_cycles", half},
    {"vector.permute_bytes_per_cycle", twice},
    {"scratchpad.bytes_per_cycle", twice},
    {"scratchpad.accumulator_tiles", twice},
    {"sequencer.issue_cycles", half},
    {"sequencer.let_cycles", half},
    {"sequencer.queue_depth", twice},
    {"sequencer.fetch_bytes_per_cycle", twice},
    {"sequencer.fetch_latency_cycles", half},
    {"sequencer.signal_latency_cycles", half},
    {"dma.issue_cycles", half},
    {"dma.outstanding", twice},
    {"dma.bytes_per_cycle", twice},
    {"dma.convert_bytes_per_cycle", twice},
    {"network.link_bytes_per_cycle", twice},
    {"network.hop_cycles", half},
    {"cache.latency", half},
    {"memory.bytes_per_second", twice},
    {"memory.latency", half},
    {"host.launch", half},
    {"host.link_latency", half},
    {"host.operations_per_second", twice},
};

/// A chip with one figure changed; none where it has no such figure, or that one cannot be better.
struct Variant {
  Lever lever;
  chip::Chip chip;
};
std::optional<Variant> variant_of(const chip::Chip& chip, const Figure& figure) {
  Variant variant{{}, chip};
  variant.lever.field = figure.field;
  for (const chip::Field& field : chip::fields()) {
    if (!field.name.starts_with(figure.field)) continue;
    const double value = chip::number_of(field, variant.chip), better = value * figure.factor;
    if (value == 0 || better > field.high) continue;
    const std::string before = chip::value_text(field, variant.chip);
    chip::set_number(field, variant.chip, better);
    const std::string after = chip::value_text(field, variant.chip);
    if (after == before) continue;
    if (!variant.lever.before.empty()) {
      variant.lever.before = "each";
      variant.lever.after = fmt::format("x {}", figure.factor);
      continue;
    }
    variant.lever.before = before;
    variant.lever.after = after;
  }
  if (variant.lever.before.empty()) return {};
  return variant;
}

}  // namespace

Result<std::vector<Lever>> levers_of(const Outcome& outcome, int threads) {
  std::vector<Variant> variants;
  chip::Chip chip = outcome.chip;
  chip.cores = cores_of(outcome.program, outcome.chip);
  for (const Figure& figure : figures)
    if (auto variant = variant_of(chip, figure)) variants.push_back(std::move(*variant));

  std::vector<std::optional<Error>> errors(variants.size());
  for_each_index(variants.size(), static_cast<size_t>(threads), [&](size_t i) {
    const auto timing = machine::time_program(outcome.program, variants[i].chip, {.warm = outcome.warm});
    if (timing)
      variants[i].lever.cycles = timing->cycles;
    else
      errors[i] = timing.error();
  });
  std::vector<Lever> levers;
  for (size_t i = 0; i < variants.size(); ++i) {
    if (errors[i]) return std::move(*errors[i]);
    if (variants[i].lever.cycles != outcome.timing->cycles) levers.push_back(std::move(variants[i].lever));
  }
  std::ranges::stable_sort(levers, {}, &Lever::cycles);
  return levers;
}

}  // namespace hadal::runtime
