#include "graph/simplify.h"

#include <unordered_set>

namespace hadal::graph {

Status simplify(Graph& graph) {
  compact(graph);
  // Every rule removes a node, or makes one of a cheaper op: the limit only guards against a defect.
  constexpr int most_rounds = 64;
  for (int round = 0; round < most_rounds; ++round) {
    bool changed = false;
    for (const auto pass :
         {remove_identities, fold_constants, share_equal_nodes, match_patterns, fold_convolutions, spread_taps}) {
      HADAL_TRY(const bool did, pass(graph));
      changed = changed || did;
    }
    if (!changed) return {};
  }
  return Error{"graph.simplify", fmt::format("no fixed point after {} rounds", most_rounds), graph.name};
}

namespace {

/// "origin#12": the part before the mark, if the name is a derived one.
std::string_view derived_from(std::string_view name) {
  const size_t mark = name.rfind('#');
  if (mark == std::string_view::npos || mark + 1 == name.size()) return {};
  return name.find_first_not_of("0123456789", mark + 1) == std::string_view::npos ? name.substr(0, mark)
                                                                                  : std::string_view{};
}

std::vector<bool> live_values(const Graph& graph) {
  std::vector<bool> live(graph.values.size());
  for (const ValueId v : graph.inputs) live[static_cast<size_t>(v)] = true;
  for (const ValueId v : graph.outputs) live[static_cast<size_t>(v)] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool needed = false;
    for (const ValueId v : node.outputs) needed = needed || live[static_cast<size_t>(v)];
    if (!needed) continue;
    for (const ValueId v : node.outputs) live[static_cast<size_t>(v)] = true;
    for (const ValueId v : node.inputs)
      if (v != absent) live[static_cast<size_t>(v)] = true;
  }
  return live;
}

/// Derived names follow the new numbers, so that they stay unique.
void renumber_names(Graph& graph) {
  std::unordered_set<std::string> fixed;
  std::vector<bool> keeps(graph.values.size());
  for (const auto& list : {graph.inputs, graph.outputs})
    for (const ValueId v : list) {
      keeps[static_cast<size_t>(v)] = true;
      fixed.insert(graph.value(v).name);
    }
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const std::string_view origin = derived_from(graph.values[i].name);
    if (keeps[i] || origin.empty()) continue;
    std::string name = fmt::format("{}#{}", origin, i);
    while (fixed.contains(name)) name += '_';
    graph.values[i].name = std::move(name);
  }
}

}  // namespace

void compact(Graph& graph) {
  const std::vector<bool> live = live_values(graph);
  std::vector<ValueId> number(graph.values.size(), absent);
  std::vector<Value> values;
  for (size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) continue;
    number[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(values);
  const auto renumber = [&](std::vector<ValueId>& list) {
    for (ValueId& v : list)
      if (v != absent) v = number[static_cast<size_t>(v)];
  };
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (!live[static_cast<size_t>(node.outputs[0])]) continue;
    renumber(node.inputs);
    renumber(node.outputs);
    for (const ValueId v : node.outputs) graph.value(v).producer = static_cast<int32_t>(nodes.size());
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  renumber(graph.inputs);
  renumber(graph.outputs);
  renumber_names(graph);
}

}  // namespace hadal::graph
