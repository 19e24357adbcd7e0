// The compiler as a page: passes in order.
#include "compile/compile.h"

#include <algorithm>

#include "compile/emitter.h"
#include "compile/fuse.h"
#include "compile/precision.h"
#include "graph/simplify.h"
#include "isa/canonical.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "rules/matrix.h"
#include "tile/lower.h"

namespace hadal::compile {

namespace {

/// Bytes of the shared space that stay together in one core.
constexpr int64_t shared_page_bytes = 2048;

/// Runs passes: says which begins, and dumps the text of those asked for.
class Passes {
 public:
  explicit Passes(const Options& options) : options_(options) {}

  template <class Body, class Text>
  Status run(const std::string& name, Body body, Text text) {
    if (options_.progress) options_.progress(name);
    HADAL_CHECK(body());
    if (options_.dump && (options_.dump_after == name || options_.dump_after == "all")) options_.dump(name, text());
    return {};
  }

 private:
  const Options& options_;
};

std::string precision_name(const graph::Graph& graph, const Options& options) {
  if (options.precision) return std::string(name_of(*options.precision));
  for (const graph::ValueId v : graph.inputs)
    if (is_float(graph.type(v).dtype)) return std::string(name_of(graph.type(v).dtype));
  for (const graph::Value& value : graph.values)
    if (is_float(value.type.dtype)) return std::string(name_of(value.type.dtype));
  return graph.values.empty() ? "none" : std::string(name_of(graph.values[0].type.dtype));
}

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

/// Everything from groups to instructions, by a plan.
class Backend {
 public:
  Backend(const chip::Chip& chip, const Plan& plan) : chip_(chip), plan_(plan) {}

  Result<tile::Program> emit(graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface) const {
    HADAL_TRY(tile::Program tiles, Emitter(graph, chip_, plan_).run(groups, interface));
    if (tiles.phases.empty()) return Error{"compile.empty", "no output has an element: there is nothing to compute"};
    HADAL_CHECK(check_types(tiles, chip_));
    return tiles;
  }
  [[nodiscard]] Result<isa::Program> lower(const tile::Program& tiles) const {
    const tile::Target target{plan_.cores, chip_.scratchpad.bytes, chip_.scratchpad.accumulator_bytes,
                              chip_.memory.bytes, shared_page_bytes};
    HADAL_TRY(isa::Program program, tile::lower(tiles, target));
    isa::canonicalise(program);
    return program;
  }

 private:
  const chip::Chip& chip_;
  Plan plan_;
};

/// The graph without the bytes of its weights: what they are decides no schedule.
graph::Graph outline(const graph::Graph& graph) {
  constexpr size_t small = 4096;
  graph::Graph out = graph;
  for (graph::Value& value : out.values)
    if (value.constant && value.constant->bytes.view.size() > small) value.constant->bytes = {};
  return out;
}

/// The plan whose program takes the fewest cycles: all cores, or half of them and again half while that promises
/// anything, then more or less regard for the memory.
Plan choose_plan(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                 const chip::Chip& chip, const Options& options) {
  Plan best{.cores = chip.cores};
  if (!options.cycles) return best;
  int64_t least = INT64_MAX;
  const auto cycles_of = [&](const Plan& plan) -> Result<int64_t> {
    graph::Graph sketch = outline(graph);
    const Backend backend(chip, plan);
    HADAL_TRY(const tile::Program tiles, backend.emit(sketch, groups, interface));
    HADAL_TRY(const isa::Program program, backend.lower(tiles));
    return options.cycles(program);
  };
  /// Whether trying further in the same direction makes sense. A plan that fails is passed over: where none works, the
  /// error comes from what is made of the first.
  const auto try_plan = [&](const Plan& plan) {
    const Result<int64_t> cycles = cycles_of(plan);
    if (!cycles) return false;
    const bool promising = *cycles / 5 * 4 <= least;
    if (*cycles < least) {
      best = plan;
      least = *cycles;
    }
    return promising;
  };
  for (int64_t cores = chip.cores; cores > 0; cores /= 2) {
    if (!try_plan({.cores = cores}) || cores % 2 != 0) break;
  }
  for (const double contended : {0.25, 1.0, 2.0}) try_plan({best.cores, contended});
  return best;
}

}  // namespace

Result<isa::Program> compile(graph::Graph graph, const chip::Chip& chip, const Options& options) {
  Passes passes(options);
  const auto graph_text = [&] { return graph::text_of(graph); };
  Interface interface;
  for (const graph::ValueId v : graph.inputs) interface.inputs.push_back(graph.type(v).dtype);
  for (const graph::ValueId v : graph.outputs) interface.outputs.push_back(graph.type(v).dtype);
  interface.precision = precision_name(graph, options);

  HADAL_CHECK(passes.run("simplify", [&] { return graph::simplify(graph); }, graph_text));
  const auto store_as = [&](bool now) -> Status {
    if (!now) return {};
    return passes.run(
        "precision", [&] { return set_precision(graph, *options.precision, options.values); }, graph_text);
  };
  // Integers, which serve time alone, do not change what is fused.
  const bool integers = options.precision && !is_float(*options.precision);
  HADAL_CHECK(store_as(options.precision && !integers));
  std::vector<Group> groups;
  HADAL_CHECK(passes.run(
      "fuse",
      [&]() -> Status {
        groups = fuse(graph);
        return {};
      },
      [&] { return text_of(graph, groups); }));
  HADAL_CHECK(passes.run(
      "order",
      [&]() -> Status {
        groups = in_order(graph, std::move(groups));
        return {};
      },
      [&] { return text_of(graph, groups); }));
  HADAL_CHECK(store_as(integers));
  Plan plan;
  HADAL_CHECK(passes.run(
      "plan",
      [&]() -> Status {
        plan = choose_plan(graph, groups, interface, chip, options);
        return {};
      },
      [&] { return fmt::format("{} of {} cores, contended {}\n", plan.cores, chip.cores, plan.contended); }));
  const Backend backend(chip, plan);
  tile::Program tiles;
  HADAL_CHECK(passes.run(
      "emit",
      [&]() -> Status {
        HADAL_TRY(tiles, backend.emit(graph, groups, interface));
        return {};
      },
      [&] { return tile::text_of(tiles); }));
  isa::Program program;
  HADAL_CHECK(passes.run(
      "lower",
      [&]() -> Status {
        HADAL_TRY(program, backend.lower(tiles));
        return {};
      },
      [&] {
        const auto text = isa::disassemble(program, isa::WeightText::program_file);
        return text ? *text : text.error().text();
      }));
  HADAL_CHECK(passes.run("verify", [&] { return isa::verify(program); }, [] { return std::string("verified\n"); }));
  return program;
}

}  // namespace hadal::compile
