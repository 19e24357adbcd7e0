#include "compile/backend.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "isa/canonical.h"
#include "rules/matrix.h"

namespace hadal::compile {

namespace {

/// Bytes of the shared space that stay together in one core.
constexpr int64_t shared_page_bytes = 2048;

/// "layer a, b, c" of those that satisfy `is`; empty where there is none.
template <class Is>
std::string layers_that(const tile::Program& program, const Is& is) {
  std::string out;
  for (const tile::Phase& phase : program.phases)
    if (is(phase.layer)) out += (out.empty() ? "layer " : ", ") + printable(phase.layer.name);
  return out;
}

/// What the array must multiply, and whether there are lanes.
Status check_types(const tile::Program& program, const chip::Chip& chip) {
  std::set<std::string_view> types;
  const std::string unmultiplied = layers_that(program, [&](const isa::Layer& layer) {
    if (layer.macs == 0 || rules::supports(chip.matrix, layer.precision)) return false;
    types.insert(name_of(layer.precision));
    return true;
  });
  if (!unmultiplied.empty()) {
    const bool multiplies_floats =
        std::any_of(chip.matrix.rows_per_cycle.begin(), chip.matrix.rows_per_cycle.end(),
                    [](const auto& rate) { return is_float(rate.first) && rate.second > 0; });
    return Error{"compile.precision",
                 fmt::format("the array of {} does not multiply {}", chip.name, fmt::join(types, ", ")), unmultiplied,
                 multiplies_floats ? "give --precision with a type that `hadal chips " + chip.name + "` lists"
                                   : "give --precision int8 --no-values for its time with integers"};
  }
  if (chip.vector.lanes > 0) return {};
  const std::string others = layers_that(program, [](const isa::Layer& layer) { return layer.macs == 0; });
  if (others.empty()) return {};
  return Error{"compile.vector", fmt::format("{} has no vector unit", chip.name), others, "take a chip with one"};
}

}  // namespace

Result<tile::Program> Backend::emit(graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                                    std::map<MatrixShape, TileChoice>* choices, std::vector<Made>* made) const {
  Emitter emitter(graph, chip_, plan_);
  HADAL_TRY(tile::Program tiles, emitter.run(groups, interface));
  if (choices) *choices = emitter.choices();
  if (made) *made = emitter.made();
  if (tiles.phases.empty())  // No output has an element: a program that does nothing.
    tiles.phases.push_back({{"nothing", "none", {}, 0, 0, DType::f32}, {}, {}});
  HADAL_CHECK(check_types(tiles, chip_));
  return tiles;
}

Result<isa::Program> Backend::lower(const tile::Program& tiles, tile::Placement* placement) const {
  const tile::Target target{.cores = plan_.cores,
                            .scratchpad_bytes = chip_.scratchpad.bytes,
                            .accumulator_bytes = chip_.scratchpad.accumulator_bytes,
                            .memory_bytes = chip_.memory.bytes,
                            .page_bytes = shared_page_bytes,
                            .resident = !plan_.profile || plan_.profile->layers.resident,
                            .ahead = plan_.profile ? 0 : chip_.sequencer.queue_depth};
  HADAL_TRY(isa::Program program, tile::lower(tiles, target, placement));
  isa::canonicalise(program);
  return program;
}

}  // namespace hadal::compile
