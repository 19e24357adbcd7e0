#include "compile/search.h"

#include <algorithm>
#include <climits>
#include <iterator>

#include "base/parallel.h"
#include "compile/backend.h"
#include "compile/tile_search.h"

namespace hadal::compile {

namespace {

/// The graph without the bytes of its weights: what they are decides no schedule.
graph::Graph outline(const graph::Graph& graph) {
  constexpr size_t small = 4096;
  graph::Graph out = graph;
  for (graph::Value& value : out.values)
    if (value.constant && value.constant->bytes.view.size() > small) value.constant->bytes = {};
  return out;
}

/// The groups that plans are tried on: all, or of a model with many weights the first ones. It is made of many equal
/// blocks, and a few of them tell plans apart.
std::vector<Group> tried_part(const graph::Graph& graph, const std::vector<Group>& groups) {
  constexpr int64_t enough_bytes = int64_t{1} << 30;
  constexpr int enough_products = 24;  // Of weights: three blocks of a transformer.
  int64_t bytes = 0;
  int products = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int n : groups[g].nodes)
      for (const graph::ValueId v : graph.nodes[static_cast<size_t>(n)].inputs)
        if (graph.is_constant(v)) bytes += elements(graph.type(v).shape) * bytes_of(graph.type(v).dtype);
    const graph::Node* main = groups[g].main >= 0 ? &graph.nodes[static_cast<size_t>(groups[g].main)] : nullptr;
    if (main && main->inputs.size() > 1 && graph.is_constant(main->inputs[1])) ++products;
    if (bytes >= enough_bytes && products >= enough_products)
      return {groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(g) + 1};
  }
  return groups;
}

/// Storages of a tile program that lie in HBM, though they may lie in the shared space.
std::set<std::string> far_of(const tile::Program& tiles, const isa::Program& program) {
  std::set<std::string> far;
  for (size_t t = 0; t < tiles.tensors.size(); ++t)
    if (program.regions[program.tensors[t].region].kind == isa::RegionKind::scratch)
      far.insert(tiles.storages[static_cast<size_t>(tiles.tensors[t].storage)].name);
  return far;
}

/// A plan, and what came of it.
struct Trial {
  Plan plan;
  int64_t cycles = INT64_MAX;  ///< Of a plan that fails, too: the error comes from the plan that is taken, if all fail.
  std::set<std::string> far{};  ///< What found no room in the shared space.
  std::map<MatrixShape, TileChoice> choices{};
  [[nodiscard]] bool works() const { return cycles < INT64_MAX; }
};

constexpr double held_regard = 0.02;

/// All that plans are tried with.
std::vector<Regard> regards() {
  std::vector<Regard> out;
  for (const double contended : {0.25, 0.5, 1.0, 2.0})
    for (const double held : {0.0, held_regard}) out.push_back({contended, held});
  return out;
}

class Search {
 public:
  Search(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
         const chip::Chip& chip, const Options& options)
      : graph_(graph),
        groups_(groups),
        interface_(interface),
        chip_(chip),
        options_(options),
        found_(std::make_shared<TileMemo>(regards())) {}

  [[nodiscard]] Plan best() const {
    std::vector<Trial> lines = core_counts(Scores::whole);
    if (lines.empty() && has_attention()) lines = core_counts(Scores::apart);  // Beside other layers nothing else fits.
    for_each_index(lines.size(), options_.threads, [&](size_t i) { refine(lines[i]); });
    if (lines.empty()) return {.cores = chip_.cores, .kernels = options_.kernels};
    const int64_t least = std::ranges::min_element(lines, {}, &Trial::cycles)->cycles;
    std::erase_if(lines, [&](const Trial& line) { return line.cycles / 21 * 20 > least; });  // Not close.
    for (Trial& line : lines) try_tiles(line);
    return std::ranges::min_element(lines, {}, &Trial::cycles)->plan;
  }

 private:
  [[nodiscard]] bool has_attention() const {
    return std::ranges::any_of(groups_, [](const Group& group) { return !group.before.empty(); });
  }
  [[nodiscard]] std::vector<Trial> core_counts(Scores attention) const;
  /// The pace at which the array has so many cells for each byte of memory and cycle.
  [[nodiscard]] double pace_at(double cells_per_byte) const {
    const chip::Matrix& matrix = chip_.matrix;
    const double cells = static_cast<double>(chip_.cores * matrix.count * matrix.rows * matrix.columns);
    return cells * chip_.clock.hertz / (cells_per_byte * chip_.memory.bytes_per_second);
  }
  void refine(Trial& best) const;
  void try_tiles(Trial& best) const;
  void try_plans(const std::vector<Plan>& plans, Trial& best) const;
  [[nodiscard]] Trial attempt(const Plan& plan) const {
    Trial trial{plan};
    if (Status status = measure(trial); !status.ok()) trial.cycles = INT64_MAX;
    return trial;
  }
  [[nodiscard]] Status measure(Trial& trial) const {
    graph::Graph sketch = outline(graph_);
    const Backend backend(chip_, trial.plan);
    HADAL_TRY(const tile::Program tiles, backend.emit(sketch, groups_, interface_, &trial.choices));
    HADAL_TRY(const isa::Program program, backend.lower(tiles));
    HADAL_TRY(trial.cycles, options_.cycles(program));
    trial.far = far_of(tiles, program);
    return {};
  }

  const graph::Graph& graph_;
  const std::vector<Group>& groups_;
  const Interface& interface_;
  const chip::Chip& chip_;
  const Options& options_;
  std::shared_ptr<TileMemo> found_;
};

/// All cores, half of them and again half, two at a time, while that promises anything: the best, and those that are
/// close, since what is varied after may suit them more.
std::vector<Trial> Search::core_counts(Scores attention) const {
  constexpr size_t together = 2, lines = 3;
  std::vector<Trial> tried;
  int64_t least = INT64_MAX;
  for (int64_t cores = chip_.cores; cores > 0;) {
    std::vector<Trial> next;
    for (; cores > 0 && next.size() < together; cores = cores % 2 == 0 ? cores / 2 : 0)
      next.push_back({{.cores = cores, .attention = attention, .found = found_, .kernels = options_.kernels}});
    for_each_index(next.size(), options_.threads, [&](size_t i) { next[i] = attempt(next[i].plan); });
    for (const Trial& trial : next) least = std::min(least, trial.cycles);
    if (!next.back().works() || next.back().cycles / 5 * 4 > least) cores = 0;
    std::ranges::move(next, std::back_inserter(tried));
  }
  std::erase_if(tried, [&](const Trial& trial) { return !trial.works() || trial.cycles / 11 * 10 > least; });
  std::ranges::stable_sort(tried, {}, &Trial::cycles);
  if (tried.size() > lines) tried.resize(lines);
  return tried;
}

/// Varies one thing after another, and keeps what helps.
void Search::refine(Trial& best) const {
  const auto vary = [&](const auto& change) {
    Plan plan = best.plan;
    change(plan);
    Trial trial = attempt(plan);
    const bool promising = trial.works() && trial.cycles / 5 * 4 <= best.cycles;
    if (trial.cycles < best.cycles) best = std::move(trial);
    return promising;
  };
  // Where the scratchpad is full: what turned out to lie in HBM, and weights that take room from activations.
  if (!best.far.empty()) {
    vary([&](Plan& plan) { plan.far = best.far; });
    for (const int slots : {4, 8}) {
      if (!vary([&](Plan& plan) { plan.weight_slots = slots; })) break;
    }
  }
  if (has_attention())
    for (const Scores scores : {Scores::online, Scores::apart}) vary([&](Plan& plan) { plan.attention = scores; });
  const auto with = [&](const Regard& regard, double pace = 1) {
    Plan plan = best.plan;
    plan.regard = regard, plan.pace = pace;
    return plan;
  };
  // More regard for the memory, or less.
  try_plans({with({1}), with({0.25})}, best);
  if (best.plan.regard.contended == 1) try_plans({with({2})}, best);
  // Memory that seems slower, or some regard for what weights lie in each other's way. With both it seems so fast as
  // suits the array: a chip with a faster memory then tries the same plans, so that it costs no cycles.
  const Regard holding{best.plan.regard.contended, held_regard};
  try_plans({with({2}, 0.5), with(holding), with(holding, pace_at(256)), with(holding, pace_at(512))}, best);
}

/// Side by side; the best of them, if it is better.
void Search::try_plans(const std::vector<Plan>& plans, Trial& best) const {
  std::vector<Trial> trials(plans.size());
  for_each_index(plans.size(), options_.threads, [&](size_t i) { trials[i] = attempt(plans[i]); });
  for (Trial& trial : trials)
    if (trial.cycles < best.cycles) best = std::move(trial);
}

bool has_room(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
              const chip::Chip& chip, const Plan& plan) {
  graph::Graph sketch = outline(graph);
  const Backend backend(chip, plan);
  const auto tiles = backend.emit(sketch, groups, interface);
  return tiles && backend.lower(*tiles);
}

/// Other tiles for the layers, those first that take most: the search for tiles only estimates.
void Search::try_tiles(Trial& best) const {
  std::vector<std::pair<MatrixShape, TileChoice>> layers(best.choices.begin(), best.choices.end());
  std::ranges::stable_sort(layers, std::greater{}, [](const auto& layer) { return layer.second.cycles; });
  auto left = static_cast<size_t>(options_.effort);
  for (const auto& [layer, choice] : layers) {
    std::vector<Plan> others(std::min(left, choice.tiles - 1), best.plan);
    left -= others.size();
    for (size_t i = 0; i < others.size(); ++i) others[i].tiles[layer] = i + 1;
    try_plans(others, best);
  }
}

}  // namespace

Plan choose_plan(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                 const chip::Chip& chip, const Options& options) {
  if (options.profile) {
    Plan plan{.cores = chip.cores,
              .attention = options.profile->attention.scores == "joined" ? Scores::whole : Scores::apart,
              .profile = options.profile,
              .kernels = options.kernels};
    // Operands of several layers together may find no room.
    if (options.profile->matmul.whole_bytes > 0) plan.whole = has_room(graph, groups, interface, chip, plan);
    return plan;
  }
  if (!options.cycles) return {.cores = chip.cores, .kernels = options.kernels};
  const std::vector<Group> part = tried_part(graph, groups);
  const Plan plan = Search(graph, part, interface, chip, options).best();
  if (part.size() == groups.size() || has_room(graph, groups, interface, chip, plan)) return plan;
  return Search(graph, groups, interface, chip, options).best();
}

}  // namespace hadal::compile
