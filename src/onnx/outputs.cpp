#include "onnx/outputs.h"

namespace hadal::onnx {

namespace {

/// Another value may have an output's name: a constant that it copies, or one inside a function. It gives way.
void free_names(graph::Graph& graph, const std::set<ValueId>& taken, const std::set<std::string>& names) {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    graph::Value& value = graph.values[i];
    const bool is_input = value.producer < 0 && !value.constant;
    if (!is_input && !taken.contains(static_cast<ValueId>(i)) && names.contains(value.name))
      value.name = fmt::format("{}#{}", value.name, i);
  }
}

}  // namespace

void set_outputs(Builder& b, const std::vector<NamedOutput>& outputs) {
  std::set<ValueId> taken;
  std::set<std::string> names;
  for (const auto& [name, v] : outputs) {
    if (name.empty() || !names.insert(name).second)
      fail("onnx.graph", "output '{}' has no name of its own", printable(name));
    const graph::Value& value = b.graph.value(v);
    if (value.producer < 0 && !value.constant && value.name == name)
      fail("onnx.graph", "output '{}' is an input: no node makes it", printable(name));
    const bool shared = value.producer < 0 || taken.contains(v);
    b.begin_origin(name);
    b.graph.outputs.push_back(shared ? b.copy(v) : v);
    taken.insert(b.graph.outputs.back());
  }
  if (b.graph.outputs.empty()) fail("onnx.graph", "the model has no outputs");
  free_names(b.graph, taken, names);
  for (size_t i = 0; i < outputs.size(); ++i) b.graph.value(b.graph.outputs[i]).name = outputs[i].name;
}

}  // namespace hadal::onnx
