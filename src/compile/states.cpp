#include "compile/states.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/suggest.h"

namespace hadal::compile {

namespace {

using graph::ValueId;

/// What the pattern's `*` stands for in a name that it fits; of one without, nothing.
std::optional<std::string> star_in(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == name ? std::optional<std::string>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, star), behind = pattern.substr(star + 1);
  if (name.size() + 1 < pattern.size() || !name.starts_with(before) || !name.ends_with(behind)) return std::nullopt;
  return std::string(name.substr(star, name.size() + 1 - pattern.size()));
}

std::string filled(std::string pattern, const std::string& text) {
  const size_t star = pattern.find('*');
  return star == pattern.npos ? pattern : pattern.replace(star, 1, text);
}

Error unknown(const graph::Graph& graph, const std::vector<ValueId>& ports, const char* kind, const std::string& name) {
  std::vector<std::string_view> names;
  for (const ValueId v : ports) names.push_back(graph.value(v).name);
  return {"state.name",
          fmt::format("the model has no {} \"{}\" that could be state", kind, printable(name)),
          {},
          did_you_mean(name, names)};
}

Status check_types(const graph::Graph& graph, ValueId input, ValueId output) {
  const graph::Type &before = graph.type(input), &after = graph.type(output);
  if (before == after) return {};
  return Error{
      "state.type",
      fmt::format("the input is {} {}, the output {} {}", name_of(before.dtype), text_of(before.shape),
                  name_of(after.dtype), text_of(after.shape)),
      fmt::format("state \"{}\" from \"{}\"", printable(graph.value(input).name), printable(graph.value(output).name)),
      before.dtype == after.dtype ? "a cache that grows needs its full size from the start: see docs/state.md" : ""};
}

}  // namespace

Result<std::vector<isa::State>> states_of(const graph::Graph& graph,
                                          const std::vector<std::pair<std::string, std::string>>& names) {
  std::vector<isa::State> states;
  std::set<size_t> inputs, outputs;
  const auto named = [&](const std::vector<ValueId>& ports, const std::string& name) {
    return static_cast<size_t>(std::ranges::find_if(ports, [&](ValueId v) { return graph.value(v).name == name; }) -
                               ports.begin());
  };
  for (const auto& [input_pattern, output_pattern] : names) {
    const size_t before = states.size();
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const auto star = star_in(input_pattern, graph.value(graph.inputs[i]).name);
      if (!star) continue;
      const std::string wanted = filled(output_pattern, *star);
      const size_t o = named(graph.outputs, wanted);
      if (o == graph.outputs.size()) return unknown(graph, graph.outputs, "output", wanted);
      HADAL_CHECK(check_types(graph, graph.inputs[i], graph.outputs[o]));
      if (!inputs.insert(i).second || !outputs.insert(o).second)
        return Error{"state.name", fmt::format("\"{}\" or \"{}\" is state already",
                                               printable(graph.value(graph.inputs[i]).name), printable(wanted))};
      states.push_back({static_cast<uint16_t>(i), static_cast<uint16_t>(o)});
    }
    if (states.size() == before) return unknown(graph, graph.inputs, "input", input_pattern);
  }
  return states;
}

}  // namespace hadal::compile
