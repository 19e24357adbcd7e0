#include "compile/search.h"

#include <algorithm>
#include <climits>

#include "compile/backend.h"

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

/// Storages of a tile program that lie in HBM, though they may lie in the shared space.
std::set<std::string> far_of(const tile::Program& tiles, const isa::Program& program) {
  std::set<std::string> far;
  for (size_t t = 0; t < tiles.tensors.size(); ++t)
    if (program.regions[program.tensors[t].region].kind == isa::RegionKind::scratch)
      far.insert(tiles.storages[static_cast<size_t>(tiles.tensors[t].storage)].name);
  return far;
}

/// Keeps the best of the plans that were tried.
class Search {
 public:
  Search(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
         const chip::Chip& chip, const Options& options)
      : graph_(graph), groups_(groups), interface_(interface), chip_(chip), options_(options) {}

  /// Whether trying further in the same direction makes sense. A plan that fails is passed over: where none works, the
  /// error comes from what is made of the first.
  bool attempt(const Plan& plan) {
    const Result<Outcome> outcome = outcome_of(plan);
    if (!outcome) return false;
    const bool promising = outcome->cycles / 5 * 4 <= least_;
    if (outcome->cycles < least_) {
      least_ = outcome->cycles;
      best_ = plan;
      far_ = outcome->far;
    }
    return promising;
  }
  [[nodiscard]] const Plan& best() const { return best_; }
  /// What found no room in the shared space under the best plan.
  [[nodiscard]] const std::set<std::string>& far() const { return far_; }

 private:
  struct Outcome {
    int64_t cycles;
    std::set<std::string> far;
  };
  [[nodiscard]] Result<Outcome> outcome_of(const Plan& plan) const {
    graph::Graph sketch = outline(graph_);
    const Backend backend(chip_, plan);
    HADAL_TRY(const tile::Program tiles, backend.emit(sketch, groups_, interface_));
    HADAL_TRY(const isa::Program program, backend.lower(tiles));
    HADAL_TRY(const int64_t cycles, options_.cycles(program));
    return Outcome{cycles, far_of(tiles, program)};
  }

  const graph::Graph& graph_;
  const std::vector<Group>& groups_;
  const Interface& interface_;
  const chip::Chip& chip_;
  const Options& options_;
  Plan best_{.cores = 0};
  std::set<std::string> far_;
  int64_t least_ = INT64_MAX;
};

}  // namespace

Plan choose_plan(const graph::Graph& graph, const std::vector<Group>& groups, const Interface& interface,
                 const chip::Chip& chip, const Options& options) {
  if (!options.cycles) return {.cores = chip.cores};
  Search search(graph, groups, interface, chip, options);
  const auto vary = [&](const auto& change) {
    Plan plan = search.best();
    change(plan);
    return search.attempt(plan);
  };
  // All cores, or half of them and again half while that promises anything.
  for (int64_t cores = chip.cores; cores > 0; cores /= 2) {
    if (!search.attempt({.cores = cores}) || cores % 2 != 0) break;
  }
  if (search.best().cores == 0) return {.cores = chip.cores};
  // Where the scratchpad is full: what turned out to lie in HBM, and weights that take room from activations.
  if (!search.far().empty()) {
    vary([&](Plan& plan) { plan.far = search.far(); });
    for (const int slots : {4, 8}) {
      if (!vary([&](Plan& plan) { plan.weight_slots = slots; })) break;
    }
  }
  if (std::any_of(groups.begin(), groups.end(), [](const Group& group) { return !group.before.empty(); }))
    vary([&](Plan& plan) { plan.joined = false; });
  // More regard for the memory, or else less.
  const auto contend = [&](double contended) {
    vary([&](Plan& plan) { plan.contended = contended; });
    return search.best().contended == contended;
  };
  if (contend(1.0))
    contend(2.0);
  else
    contend(0.25);
  return search.best();
}

}  // namespace hadal::compile
