// The compiler as a page: passes in order.
#include "compile/compile.h"

#include <algorithm>
#include <iterator>

#include "compile/backend.h"
#include "compile/fuse.h"
#include "compile/integers.h"
#include "compile/lane_products.h"
#include "compile/long_rows.h"
#include "compile/precision.h"
#include "compile/search.h"
#include "compile/states.h"
#include "graph/ops.h"
#include "graph/simplify.h"
#include "isa/text.h"
#include "isa/verify.h"

namespace hadal::compile {

namespace {

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

std::string text_of(const Plan& plan, const chip::Chip& chip) {
  std::string text =
      fmt::format("{} of {} cores, contended {}, pace {}, held {}, {} tiles of weights, attention {}\n", plan.cores,
                  chip.cores, plan.regard.contended, plan.pace, plan.regard.held, plan.weight_slots,
                  std::array{"by whole rows", "by blocks of keys", "in parts"}[static_cast<size_t>(plan.attention)]);
  for (const std::string& name : plan.far) text += fmt::format("in HBM: {}\n", printable(name));
  return text;
}

std::string precision_name(const graph::Graph& graph, const Options& options) {
  if (options.precision) return std::string(name_of(*options.precision));
  for (const graph::Node& node : graph.nodes)
    if (node.op == &graph::ops::conv || node.op == &graph::ops::matmul)
      if (const DType dtype = graph.type(node.inputs[0]).dtype; dtype == DType::i8 || dtype == DType::u8)
        return std::string(name_of(dtype));
  for (const graph::ValueId v : graph.inputs)
    if (is_float(graph.type(v).dtype)) return std::string(name_of(graph.type(v).dtype));
  for (const graph::Value& value : graph.values)
    if (is_float(value.type.dtype)) return std::string(name_of(value.type.dtype));
  return graph.values.empty() ? "none" : std::string(name_of(graph.values[0].type.dtype));
}

/// Which layers store a value: those of its group, which stand together, and of the parts of a concatenation.
class Writers {
 public:
  Writers(const graph::Graph& graph, const std::vector<Made>& made, const std::vector<isa::Layer>& layers)
      : graph_(graph), made_(made), layers_(layers) {}

  [[nodiscard]] std::vector<size_t> of(const Made& made) const {
    std::vector<size_t> out{made.phase};
    while (out.back() > 0 && layers_[out.back() - 1].nodes == layers_[made.phase].nodes) out.push_back(out.back() - 1);
    const int32_t producer = graph_.value(made.value).producer;
    if (producer >= 0 && graph_.nodes[static_cast<size_t>(producer)].op == &graph::ops::concat)
      add_parts(graph_.nodes[static_cast<size_t>(producer)], out);
    return out;
  }

 private:
  /// What nobody has made on its own is a view, or a concatenation of what lies in its place already.
  void add_parts(const graph::Node& node, std::vector<size_t>& to) const {
    for (const graph::ValueId v : node.inputs) {
      const auto made = std::ranges::find(made_, v, &Made::value);
      const int32_t producer = v == graph::absent ? -1 : graph_.value(v).producer;
      if (made != made_.end())
        std::ranges::copy(of(*made), std::back_inserter(to));
      else if (producer >= 0)
        add_parts(graph_.nodes[static_cast<size_t>(producer)], to);
    }
  }

  const graph::Graph& graph_;
  const std::vector<Made>& made_;
  const std::vector<isa::Layer>& layers_;
};

/// Where the program keeps what its layers store.
std::vector<StoredValue> stored_values(const graph::Graph& graph, const std::vector<Made>& made,
                                       const tile::Placement& placement, const isa::Program& program) {
  std::vector<StoredValue> out;
  const Writers writers(graph, made, program.layers);
  for (const Made& each : made) {
    const auto storage = static_cast<size_t>(each.placed.storage);
    out.push_back({each.value, each.phase, writers.of(each), placement.region[storage],
                   static_cast<int64_t>(placement.offset[storage]) + each.placed.offset, each.placed.strides});
  }
  std::ranges::stable_sort(out, {}, &StoredValue::layer);
  return out;
}

}  // namespace

Result<isa::Program> compile(graph::Graph graph, const chip::Chip& chip, const Options& options) {
  Passes passes(options);
  const auto graph_text = [&] { return graph::text_of(graph); };
  Interface interface;
  for (const graph::ValueId v : graph.inputs) interface.inputs.push_back(graph.type(v).dtype);
  for (const graph::ValueId v : graph.outputs) interface.outputs.push_back(graph.type(v).dtype);
  HADAL_TRY(interface.states, states_of(graph, options.states));
  HADAL_CHECK(passes.run("integers", [&] { return use_integers(graph, chip); }, graph_text));
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
  HADAL_CHECK(passes.run("lanes", [&] { return multiply_on_lanes(graph, chip); }, graph_text));
  HADAL_CHECK(passes.run("long-rows", [&] { return cut_long_rows(graph, chip, options.profile); }, graph_text));
  std::vector<Group> groups;
  HADAL_CHECK(passes.run(
      "fuse",
      [&]() -> Status {
        groups = join_attention(graph, fuse(graph, !options.profile || options.profile->layers.epilogues));
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
      [&] { return text_of(plan, chip); }));
  const Backend backend(chip, plan);
  tile::Program tiles;
  std::vector<Made> made;
  HADAL_CHECK(passes.run(
      "emit",
      [&]() -> Status {
        HADAL_TRY(tiles, backend.emit(graph, groups, interface, nullptr, &made));
        return {};
      },
      [&] { return tile::text_of(tiles); }));
  isa::Program program;
  tile::Placement placement;
  HADAL_CHECK(passes.run(
      "lower",
      [&]() -> Status {
        HADAL_TRY(program, backend.lower(tiles, &placement));
        return {};
      },
      [&] {
        const auto text = isa::disassemble(program, isa::WeightText::program_file);
        return text ? *text : text.error().text();
      }));
  HADAL_CHECK(passes.run("verify", [&] { return isa::verify(program); }, [] { return std::string("verified\n"); }));
  if (options.lowered) {
    options.lowered->values = stored_values(graph, made, placement, program);
    options.lowered->graph = std::move(graph);
  }
  return program;
}

}  // namespace hadal::compile
