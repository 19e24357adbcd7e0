#include "compile/backend.h"

#include <algorithm>

#include "isa/canonical.h"
#include "rules/matrix.h"
#include "tile/lower.h"

namespace hadal::compile {

namespace {

/// Bytes of the shared space that stay together in one core.
constexpr int64_t shared_page_bytes = 2048;

/// What the array must multiply.
Status check_types(const tile::Program& program, const chip::Chip& chip) {
  for (const tile::Phase& phase : program.phases) {
    if (phase.layer.macs == 0 || rules::supports(chip.matrix, phase.layer.precision)) continue;
    const bool multiplies_floats =
        std::any_of(chip.matrix.rows_per_cycle.begin(), chip.matrix.rows_per_cycle.end(),
                    [](const auto& rate) { return is_float(rate.first) && rate.second > 0; });
    return Error{"compile.precision",
                 fmt::format("the array of {} does not multiply {}", chip.name, name_of(phase.layer.precision)),
                 fmt::format("layer {}", printable(phase.layer.name)),
                 multiplies_floats ? "give --precision with a type that `hadal chips " + chip.name + "` lists"
                                   : "give --precision int8 --no-values for its time with integers"};
  }
  if (chip.vector.lanes > 0) return {};
  for (const tile::Phase& phase : program.phases)
    if (phase.layer.macs == 0)
      return Error{"compile.vector", fmt::format("{} has no vector unit for {}", chip.name, phase.layer.op),
                   fmt::format("layer {}", printable(phase.layer.name)), "take a chip with one"};
  return {};
}

}  // namespace

Result<tile::Program> Backend::emit(graph::Graph& graph, const std::vector<Group>& groups,
                                    const Interface& interface) const {
  HADAL_TRY(tile::Program tiles, Emitter(graph, chip_, plan_).run(groups, interface));
  if (tiles.phases.empty()) return Error{"compile.empty", "no output has an element: there is nothing to compute"};
  HADAL_CHECK(check_types(tiles, chip_));
  return tiles;
}

Result<isa::Program> Backend::lower(const tile::Program& tiles) const {
  const tile::Target target{plan_.cores, chip_.scratchpad.bytes, chip_.scratchpad.accumulator_bytes, chip_.memory.bytes,
                            shared_page_bytes};
  HADAL_TRY(isa::Program program, tile::lower(tiles, target));
  isa::canonicalise(program);
  return program;
}

}  // namespace hadal::compile
