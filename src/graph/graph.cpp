#include "graph/graph.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "graph/evaluate.h"

namespace hadal::graph {

namespace {

template <class T>
const T* entry(const std::map<std::string, Attributes::Entry>& entries, const std::string& name) {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace

int64_t Attributes::integer(const std::string& name, int64_t otherwise) const {
  const auto* value = entry<int64_t>(entries_, name);
  return value ? *value : otherwise;
}

double Attributes::number(const std::string& name, double otherwise) const {
  if (const auto* value = entry<double>(entries_, name)) return *value;
  const auto* whole = entry<int64_t>(entries_, name);
  return whole ? static_cast<double>(*whole) : otherwise;
}

std::string Attributes::text(const std::string& name, const std::string& otherwise) const {
  const auto* value = entry<std::string>(entries_, name);
  return value ? *value : otherwise;
}

std::vector<int64_t> Attributes::integers(const std::string& name) const {
  const auto* value = entry<std::vector<int64_t>>(entries_, name);
  return value ? *value : std::vector<int64_t>{};
}

std::vector<double> Attributes::numbers(const std::string& name) const {
  const auto* value = entry<std::vector<double>>(entries_, name);
  return value ? *value : std::vector<double>{};
}

ValueId Graph::add_input(std::string value_name, Type type) {
  values.push_back({std::move(value_name), std::move(type), -1, std::nullopt});
  inputs.push_back(static_cast<ValueId>(values.size() - 1));
  return inputs.back();
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  Type type{tensor.dtype, tensor.shape};
  values.push_back({std::move(value_name), std::move(type), -1, std::move(tensor)});
  return static_cast<ValueId>(values.size() - 1);
}

Result<std::vector<ValueId>> Graph::add(const Op& op, std::vector<ValueId> operands, Attributes attributes,
                                        std::vector<std::string> origins) {
  const std::string origin = origins.empty() ? std::string(op.name) : origins.front();
  for (const auto& [key, entry] : attributes.all())
    if (std::find(op.attributes.begin(), op.attributes.end(), key) == op.attributes.end())
      return Error{fmt::format("{}.attribute", op.name), fmt::format("{} has no attribute '{}'", op.name, key), origin};
  std::vector<const Type*> types;
  for (const ValueId v : operands) types.push_back(v == absent ? nullptr : &type(v));
  auto inferred = op.infer(types, attributes);
  if (!inferred) return std::move(inferred).error().at(origin);

  std::vector<ValueId> results;
  for (Type& result : *inferred) {
    const auto id = static_cast<ValueId>(values.size());
    values.push_back(
        {fmt::format("{}#{}", origin, id), std::move(result), static_cast<int32_t>(nodes.size()), std::nullopt});
    results.push_back(id);
  }
  if (origins.empty()) origins.push_back(origin);
  nodes.push_back({&op, std::move(attributes), std::move(operands), results, std::move(origins)});
  return results;
}

namespace {

struct EntryText {
  std::string operator()(int64_t v) const { return fmt::format("{}", v); }
  std::string operator()(double v) const { return fmt::format("{}", v); }
  std::string operator()(const std::string& v) const { return printable(v); }
  std::string operator()(const std::vector<int64_t>& v) const { return fmt::format("[{}]", fmt::join(v, ",")); }
  std::string operator()(const std::vector<double>& v) const { return fmt::format("[{}]", fmt::join(v, ",")); }
};

std::string text_of(const Type& type) { return fmt::format("{}[{}]", name_of(type.dtype), fmt::join(type.shape, ",")); }

std::string reference_to(const Graph& graph, ValueId v) {
  return v == absent ? "none" : "%" + printable(graph.value(v).name);
}

std::string text_of(const Graph& graph, const Node& node) {
  std::vector<std::string> results, operands, attributes;
  for (const ValueId v : node.outputs) results.push_back(reference_to(graph, v) + ": " + text_of(graph.type(v)));
  for (const ValueId v : node.inputs) operands.push_back(reference_to(graph, v));
  for (const auto& [key, value] : node.attributes.all())
    attributes.push_back(fmt::format(" {}={}", key, std::visit(EntryText{}, value)));
  std::vector<std::string> origins;
  for (const std::string& origin : node.origins) origins.push_back(printable(origin));
  return fmt::format("  {} = {}({}){}  # {}\n", fmt::join(results, ", "), node.op->name, fmt::join(operands, ", "),
                     fmt::join(attributes, ""), fmt::join(origins, ", "));
}

}  // namespace

std::string text_of(const Graph& graph) {
  std::string out = fmt::format("graph {}\n", printable(graph.name));
  for (const ValueId v : graph.inputs)
    out += fmt::format("  input {}: {}\n", reference_to(graph, v), text_of(graph.type(v)));
  std::vector<bool> used(graph.values.size());
  for (const Node& node : graph.nodes)
    for (const ValueId v : node.inputs)
      if (v != absent) used[static_cast<size_t>(v)] = true;
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (used[i] && graph.values[i].constant) {
      const auto v = static_cast<ValueId>(i);
      out += fmt::format("  constant {}: {}\n", reference_to(graph, v), text_of(graph.type(v)));
    }
  for (const Node& node : graph.nodes) out += text_of(graph, node);
  std::vector<std::string> results;
  for (const ValueId v : graph.outputs) results.push_back(reference_to(graph, v));
  return out + fmt::format("  return {}\n", fmt::join(results, ", "));
}

namespace {

Error broken(const Graph& graph, const Node* node, std::string message) {
  return Error{"graph.structure", std::move(message),
               node ? node->origins.empty() ? std::string(node->op->name) : node->origins[0] : graph.name};
}

Status verify_node(const Graph& graph, size_t i, std::vector<bool>& made) {
  const Node& node = graph.nodes[i];
  if (node.origins.empty()) return broken(graph, &node, "a node has no origin");
  std::vector<const Type*> types;
  for (const ValueId v : node.inputs) {
    if (v != absent && (v < 0 || static_cast<size_t>(v) >= made.size() || !made[static_cast<size_t>(v)]))
      return broken(graph, &node, fmt::format("operand {} is used before it is made", v));
    types.push_back(v == absent ? nullptr : &graph.type(v));
  }
  HADAL_TRY(const std::vector<Type> inferred, node.op->infer(types, node.attributes));
  if (inferred.size() != node.outputs.size())
    return broken(graph, &node, "the number of results is not the inferred one");
  for (size_t k = 0; k < inferred.size(); ++k) {
    const ValueId v = node.outputs[k];
    if (v < 0 || static_cast<size_t>(v) >= made.size()) return broken(graph, &node, "a result does not exist");
    if (made[static_cast<size_t>(v)] || graph.value(v).producer != static_cast<int32_t>(i) || graph.value(v).constant)
      return broken(graph, &node, fmt::format("result {} has another producer", v));
    if (graph.type(v) != inferred[k])
      return broken(graph, &node, fmt::format("result {} is not of the inferred type", v));
    made[static_cast<size_t>(v)] = true;
  }
  return {};
}

}  // namespace

Status verify(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  std::vector<bool> made(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const Value& value = graph.values[i];
    if (!names.insert(value.name).second)
      return broken(graph, nullptr, fmt::format("two values are named '{}'", printable(value.name)));
    if (!value.constant) continue;
    if (Type{value.constant->dtype, value.constant->shape} != value.type)
      return broken(graph, nullptr, "a constant is not of its value's type");
    made[i] = true;
  }
  for (const ValueId v : graph.inputs) {
    if (v < 0 || static_cast<size_t>(v) >= made.size() || made[static_cast<size_t>(v)])
      return broken(graph, nullptr, "an input is not a value of its own");
    made[static_cast<size_t>(v)] = true;
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) HADAL_CHECK(verify_node(graph, i, made));
  for (const ValueId v : graph.outputs)
    if (v < 0 || static_cast<size_t>(v) >= made.size() || !made[static_cast<size_t>(v)])
      return broken(graph, nullptr, "an output is never made");
  return {};
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs) {
  return evaluate(graph, inputs, {});
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, const std::vector<Tensor>& inputs, const See& see) {
  if (inputs.size() != graph.inputs.size())
    return Error{"graph.inputs", fmt::format("the graph takes {} inputs, found {}", graph.inputs.size(), inputs.size()),
                 graph.name};
  std::vector<Tensor> values(graph.values.size());
  std::vector<size_t> readers(graph.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Type{inputs[i].dtype, inputs[i].shape} != graph.type(graph.inputs[i]))
      return Error{"graph.inputs",
                   fmt::format("input '{}' is of another type", printable(graph.value(graph.inputs[i]).name)),
                   graph.name};
    values[static_cast<size_t>(graph.inputs[i])] = inputs[i];
  }
  for (const ValueId v : graph.outputs) ++readers[static_cast<size_t>(v)];
  for (const Node& node : graph.nodes)
    for (const ValueId v : node.inputs)
      if (v != absent) ++readers[static_cast<size_t>(v)];
  const auto get = [&](ValueId v) -> const Tensor& {
    return graph.is_constant(v) ? *graph.value(v).constant : values[static_cast<size_t>(v)];
  };
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> operands;
    for (const ValueId v : node.inputs) {
      operands.push_back(v == absent ? nullptr : &get(v));
      if (v != absent && graph.is_constant(v) && get(v).bytes.view.empty() && get(v).size() > 0)
        return Error{"graph.absent", fmt::format("the data of '{}' are absent", printable(graph.value(v).name)),
                     node.origins[0]};
    }
    std::vector<Type> types;
    for (const ValueId v : node.outputs) types.push_back(graph.type(v));
    if (!node.op->reference)
      return Error{"graph.reference", fmt::format("there is no reference of {}", node.op->name), node.origins[0]};
    std::vector<Tensor> results = node.op->reference(operands, node.attributes, types);
    for (size_t k = 0; k < results.size(); ++k) {
      if (see) see(node.outputs[k], results[k]);
      values[static_cast<size_t>(node.outputs[k])] = std::move(results[k]);
    }
    for (const ValueId v : node.inputs)  // the last reader frees it
      if (v != absent && --readers[static_cast<size_t>(v)] == 0) values[static_cast<size_t>(v)] = {};
  }
  std::vector<Tensor> outputs;
  for (const ValueId v : graph.outputs) outputs.push_back(get(v));
  return outputs;
}

}  // namespace hadal::graph
