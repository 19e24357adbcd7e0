#include "onnx/inputs.h"
#include "onnx/outputs.h"
#include "onnx/refusals.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/npy.h"

namespace hadal::onnx {

namespace {

constexpr ValueId refused = absent - 1;  ///< Of a value that a node which cannot be imported would make.

/// Values by the model's names, in one graph or function body.
struct Scope {
  std::unordered_map<std::string, ValueId> values;
  const Scope* outer = nullptr;  ///< Of a branch: what it captures.
  const std::map<std::string, int>* opsets = nullptr;
  const std::map<std::string, ModelAttribute>* attributes = nullptr;  ///< Of a function body: the call's.

  [[nodiscard]] const ValueId* find(const std::string& name) const {
    for (const Scope* scope = this; scope; scope = scope->outer)
      if (const auto found = scope->values.find(name); found != scope->values.end()) return &found->second;
    return nullptr;
  }
};

/// "x#12" is how the graph names what it makes of origin x: then no origin may be called x.
std::string derived_prefix(const std::string& name) {
  const size_t mark = name.rfind('#');
  const bool numbered = mark != std::string::npos && mark + 1 < name.size() &&
                        name.find_first_not_of("0123456789", mark + 1) == std::string::npos;
  return numbered ? name.substr(0, mark) : "";
}

/// The version that a model or function imports of a domain.
int opset_of(const std::map<std::string, int>& opsets, const std::string& domain) {
  const auto found = opsets.find(domain);
  const int version = found == opsets.end() ? 0 : found->second;
  if (domain.empty() && (version < oldest_opset || version > newest_opset))
    fail("onnx.opset", "opset {} of ai.onnx; {} to {} are supported", version, oldest_opset, newest_opset);
  return version;
}

const ModelFunction* function_named(const Model& model, const std::string& domain, const std::string& name) {
  for (const ModelFunction& function : model.functions)
    if (function.domain == domain && function.name == name) return &function;
  return nullptr;
}

/// Scalars are settings of a model, as a rule.
bool is_trainable(const Tensor& tensor) { return is_float(tensor.dtype) && !tensor.shape.empty(); }

class GraphImporter {
 public:
  /// Inputs in `fixed` are constants.
  GraphImporter(const Model& model, const ImportOptions& options, const std::set<std::string>& fixed)
      : model_(model), options_(options), fixed_(fixed), b_(options), inputs_(model, options), refusals_(model.file) {}

  Imported run();
  [[nodiscard]] const std::set<std::string>& wanted() const { return b_.wanted(); }

 private:
  void reserve_names(const ModelGraph& graph);
  void bind_inputs(Scope& scope);
  ValueId bind_fixed(const InputTypes::Part& input);
  void bind_constants(const ModelGraph& graph, Scope& scope);
  void bind_parameters(Scope& scope);
  [[nodiscard]] bool is_parameter(const std::string& name, const Tensor& tensor) const {
    return options_.training && is_trainable(tensor) && !fixed_.contains(name);
  }
  void bind(Scope& scope, const std::string& name, ValueId v);
  void rename(ValueId v, const std::string& name);
  void import_nodes(const std::vector<ModelNode>& nodes, Scope& scope);
  void import_node(const ModelNode& node, Scope& scope);
  Values results_of(const ModelNode& node, Scope& scope);
  Values import_operator(const ModelNode& node, Scope& scope);
  Values run_operator(const Operator& row, const ModelNode& node, Values inputs, const Scope& scope);
  Values import_body(const ModelGraph& body, const Values& inputs, const Scope& scope);
  Values import_call(const ModelFunction& function, const ModelNode& node, const Values& inputs);
  std::vector<NamedOutput> outputs_of(const Scope& scope) const;
  ValueId look_up(const Scope& scope, const std::string& name) const;
  std::string origin_of(const ModelNode& node);
  Values placeholders(const ModelNode& node);
  void write_notes(Imported& out) const;

  const Model& model_;
  const ImportOptions& options_;
  const std::set<std::string>& fixed_;
  Builder b_;
  std::unordered_set<std::string> value_names_, origins_;
  std::unordered_map<std::string, int64_t> suffixes_;  ///< The last that a name got.
  InputTypes inputs_;
  std::map<std::string, Tensor> fixed_values_;  ///< Of those inputs that are constants.
  Refusals refusals_;
  int64_t imported_ = 0;  ///< Nodes so far: functions that call functions can multiply without end.
  int depth_ = 0;
};

// ---- names

void GraphImporter::reserve_names(const ModelGraph& graph) {
  const auto reserve = [&](const std::string& name) {
    if (std::string prefix = derived_prefix(name); !prefix.empty()) origins_.insert(std::move(prefix));
  };
  for (const ModelNode& node : graph.nodes)
    for (const std::string& output : node.outputs) reserve(output);
  for (const ModelValue& input : graph.inputs) reserve(input.name);
  for (const auto& [name, tensor] : graph.constants) reserve(name);
}

std::string GraphImporter::origin_of(const ModelNode& node) {
  const std::string wanted = node.name.empty() ? fmt::format("{}_{}", node.type, imported_) : node.name;
  std::string name = wanted;
  for (int64_t i = imported_; !origins_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

void GraphImporter::rename(ValueId v, const std::string& name) {
  std::string unique = name;
  if (!value_names_.insert(unique).second) {
    int64_t& last =
        suffixes_.try_emplace(name, 1).first->second;  // A loop's body gives the same names again and again.
    do unique = fmt::format("{}_{}", name, ++last);
    while (!value_names_.insert(unique).second);
  }
  b_.graph.value(v).name = unique;
}

void GraphImporter::bind(Scope& scope, const std::string& name, ValueId v) {
  if (!scope.values.emplace(name, v).second) fail("onnx.graph", "value '{}' is made twice", printable(name));
}

ValueId GraphImporter::look_up(const Scope& scope, const std::string& name) const {
  if (name.empty()) return absent;
  if (const ValueId* v = scope.find(name)) return *v;
  fail("onnx.graph", "value '{}' is used before it is made (a missing node, or a cycle)", printable(name));
}

// ---- inputs and constants

void GraphImporter::bind_inputs(Scope& scope) {
  for (const InputTypes::Input& input : inputs_.all()) {
    Values parts;
    for (const InputTypes::Part& part : input.parts) {
      b_.check_size(part.type);
      value_names_.insert(part.name);
      if (fixed_.contains(part.name)) {
        parts.push_back(bind_fixed(part));
        fixed_values_.emplace(part.name, *b_.known(parts.back()));
      } else {
        parts.push_back(b_.graph.add_input(part.name, part.type));
      }
    }
    const ModelValue& stated = *input.stated;
    const bool left_out = stated.is_optional && parts.empty();
    bind(scope, stated.name, left_out ? nothing : stated.is_sequence ? b_.sequence(std::move(parts)) : parts[0]);
  }
}

/// The value is that of the options. Its name is the input's, which is none of the graph's own.
ValueId GraphImporter::bind_fixed(const InputTypes::Part& input) {
  const auto& [name, type] = input;
  const Tensor& given = options_.values.at(name);
  const auto value = array_as(given, type.dtype);
  if (!value || given.shape != type.shape)
    fail("onnx.input", "input '{}' is {}[{}], the given values are {}[{}]", printable(name), name_of(type.dtype),
         text_of(type.shape), name_of(given.dtype), text_of(given.shape));
  return b_.graph.add_constant(name, *value);
}

void GraphImporter::bind_constants(const ModelGraph& graph, Scope& scope) {
  for (const auto& [name, tensor] : graph.constants) {
    if (&graph == &model_.graph && is_parameter(name, tensor)) continue;
    bind(scope, name, b_.constant(tensor));
    rename(*scope.find(name), name);
  }
}

void GraphImporter::bind_parameters(Scope& scope) {
  for (const auto& [name, tensor] : model_.graph.constants) {
    if (!is_parameter(name, tensor)) continue;
    b_.check_size({tensor.dtype, tensor.shape});
    value_names_.insert(name);
    bind(scope, name, b_.graph.add_input(name, {tensor.dtype, tensor.shape}));
  }
}

// ---- nodes that cannot be imported: all are told at once, so the rest is looked at as far as types are known

/// Values that stand for the outputs of a refused node: of the types that the model states, or refused themselves.
Values GraphImporter::placeholders(const ModelNode& node) {
  Values out;
  for (const std::string& name : node.outputs) {
    const auto stated = model_.graph.types.find(name);
    const bool known = stated != model_.graph.types.end() && !stated->second.is_sequence &&
                       !stated->second.is_optional && stated->second.dtype && stated->second.shape &&
                       std::ranges::all_of(*stated->second.shape, [](const ModelDim& dim) { return dim.extent >= 0; });
    if (known) {
      Type type{*stated->second.dtype, {}};
      for (const ModelDim& dim : *stated->second.shape) type.shape.push_back(*dim.extent);
      b_.check_size(type);
      out.push_back(b_.graph.add_input(fmt::format("{}#refused", name), std::move(type)));
    } else {
      out.push_back(refused);
    }
  }
  return out;
}

Values GraphImporter::run_operator(const Operator& row, const ModelNode& node, Values inputs, const Scope& scope) {
  check_inputs(row, inputs);
  check_attributes(row, node);
  Site site(
      b_, node, std::move(inputs), opset_of(*scope.opsets, node.domain),
      [&](const ModelGraph& body, const Values& operands) { return import_body(body, operands, scope); },
      [&](const std::string& name) { return look_up(scope, name); });
  return row.import(site);
}

/// A graph that is an attribute: it sees the values around it, and each time makes its own.
Values GraphImporter::import_body(const ModelGraph& body, const Values& inputs, const Scope& scope) {
  if (inputs.size() != body.inputs.size())
    fail("onnx.graph", "graph '{}' has {} inputs, {} are given", printable(body.name), body.inputs.size(),
         inputs.size());
  reserve_names(body);
  Scope inner{{}, &scope, scope.opsets, scope.attributes};
  for (size_t i = 0; i < inputs.size(); ++i) bind(inner, body.inputs[i].name, inputs[i]);
  bind_constants(body, inner);
  import_nodes(body.nodes, inner);
  Values results;
  for (const ModelValue& output : body.outputs) results.push_back(look_up(inner, output.name));
  for (const ValueId v : results) {
    if (v == refused) fail("onnx.unsupported", "graph '{}' is not supported", printable(body.name));
    if (v == absent) fail("onnx.graph", "graph '{}' has an output without a name", printable(body.name));
  }
  return results;
}

Values GraphImporter::import_call(const ModelFunction& function, const ModelNode& node, const Values& inputs) {
  if (inputs.size() > function.inputs.size())
    fail("onnx.graph", "{} inputs for a function of {}", inputs.size(), function.inputs.size());
  std::map<std::string, ModelAttribute> attributes = function.defaults;
  for (const auto& [name, value] : node.attributes) attributes[name] = value;
  Scope inner{{}, nullptr, function.opsets.empty() ? &model_.opsets : &function.opsets, &attributes};
  for (size_t i = 0; i < function.inputs.size(); ++i)
    bind(inner, function.inputs[i], i < inputs.size() ? inputs[i] : absent);
  import_nodes(function.nodes, inner);
  Values results;
  for (const std::string& output : function.outputs) results.push_back(look_up(inner, output));
  return results;
}

Values GraphImporter::import_operator(const ModelNode& node, Scope& scope) {
  Values inputs;
  for (const std::string& name : node.inputs) inputs.push_back(look_up(scope, name));
  if (auto results = import_kernel(b_, node, inputs, options_.kernels)) return *results;
  const Operator* const row = operator_named(node.domain, node.type);
  if (!row) {
    const ModelFunction* const function = function_named(model_, node.domain, node.type);
    if (!function) fail("onnx.operator", "the operator is not known, and no function of the model");
    return import_call(*function, node, inputs);
  }
  if (std::ranges::count(inputs, refused) > 0) {
    check_attributes(*row, node);
    return placeholders(node);
  }
  const auto refers = [](const auto& entry) { return entry.second.kind == ModelAttribute::Kind::reference; };
  if (std::none_of(node.attributes.begin(), node.attributes.end(), refers))
    return run_operator(*row, node, std::move(inputs), scope);
  ModelNode resolved = node;
  std::erase_if(resolved.attributes, refers);
  for (const auto& [name, value] : node.attributes) {
    if (!refers(std::pair(name, value)) || !scope.attributes) continue;
    if (const auto given = scope.attributes->find(value.text); given != scope.attributes->end())
      resolved.attributes[name] = given->second;
  }
  return run_operator(*row, resolved, std::move(inputs), scope);
}

/// The node's results, or what stands for them.
Values GraphImporter::results_of(const ModelNode& node, Scope& scope) {
  try {
    Values results = import_operator(node, scope);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (!node.outputs[i].empty() && (i >= results.size() || results[i] == absent))
        fail("onnx.unsupported", "output {} is not supported", i);
    return results;
  } catch (Failure& failure) {
    if (is_fatal(failure.error)) throw;
    refusals_.add(node, std::move(failure.error));
    return placeholders(node);
  }
}

void GraphImporter::import_node(const ModelNode& node, Scope& scope) try {
  constexpr int64_t most_nodes = 1'000'000;
  if (++imported_ > most_nodes)
    fail("onnx.graph", "functions and steps of loops expand to more than {} nodes", most_nodes);
  if (node.outputs.empty()) fail("onnx.graph", "it has no outputs");
  b_.begin_origin(origin_of(node));
  const auto first_new = static_cast<ValueId>(b_.graph.values.size());
  const Values results = results_of(node, scope);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    bind(scope, node.outputs[i], results[i]);
    if (results[i] >= first_new && !value_names_.contains(b_.graph.value(results[i]).name))
      rename(results[i], node.outputs[i]);
  }
  if (!results.empty() && results[0] >= 0 && results[0] < first_new) b_.absorb(results[0]);
} catch (Failure& failure) {
  if (failure.error.place.empty()) failure.error.place = fmt::format("{}: node {}", model_.file, describe(node));
  throw;
}

void GraphImporter::import_nodes(const std::vector<ModelNode>& nodes, Scope& scope) {
  constexpr int deepest = 64;
  if (++depth_ > deepest) fail("onnx.graph", "functions or branches are nested more than {} deep", deepest);
  for (const ModelNode& node : nodes) import_node(node, scope);
  --depth_;
}

// ---- outputs

/// Tensors by name: of a sequence its elements, of an optional without a value none.
std::vector<NamedOutput> GraphImporter::outputs_of(const Scope& scope) const {
  std::vector<NamedOutput> out;
  for (const ModelValue& output : model_.graph.outputs) {
    const ValueId* const found = scope.find(output.name);
    if (!found) fail("onnx.graph", "output '{}' is never made", printable(output.name));
    if (Builder::is_sequence(*found)) {
      size_t i = 0;
      for (const ValueId v : b_.elements_of(*found)) out.push_back({element_name(output.name, i++), v});
    } else if (*found != nothing) {
      out.push_back({output.name, *found});
    }
  }
  return out;
}

void GraphImporter::write_notes(Imported& out) const {
  for (const auto& [name, value] : out.fixed)
    out.notes.push_back(fmt::format("compiled for these values of '{}': {}", printable(name), text_of(value, 16)));
  if (!inputs_.unbound().empty())
    out.notes.push_back(fmt::format("unbound symbols are 1: {}", fmt::join(inputs_.unbound(), ", ")));
  const auto is_output = [&](ValueId v) { return std::ranges::count(out.graph.outputs, v) > 0; };
  for (const graph::Node& node : out.graph.nodes)
    if (node.op->counted_axis && !is_output(node.outputs[0]))
      out.notes.push_back(fmt::format("data decide how much '{}' finds: nodes that read it work on {} rows, the most",
                                      printable(node.origins[0]),
                                      out.graph.type(node.outputs[0]).shape[*node.op->counted_axis]));
}

Imported GraphImporter::run() {
  b_.graph.name = model_.graph.name.empty() ? model_.file : model_.graph.name;
  reserve_names(model_.graph);
  Scope scope{{}, nullptr, &model_.opsets, nullptr};
  b_.begin_origin("initializer");
  bind_constants(model_.graph, scope);
  bind_inputs(scope);
  bind_parameters(scope);
  import_nodes(model_.graph.nodes, scope);
  if (!refusals_.empty()) throw Failure{refusals_.error()};
  set_outputs(b_, outputs_of(scope));
  std::map<std::string, Tensor> parameters;
  for (const auto& [name, tensor] : model_.graph.constants)
    if (is_parameter(name, tensor)) parameters.emplace(name, tensor);
  Imported out{std::move(b_.graph), std::move(fixed_values_), {}, model_.metadata, std::move(parameters), b_.running()};
  write_notes(out);
  return out;
}

}  // namespace

Imported import_graph(const Model& model, const ImportOptions& given) {
  ImportOptions options = given;
  if (options.training)  // A parameter that decides a shape is a constant after all.
    for (const auto& [name, tensor] : model.graph.constants)
      if (is_trainable(tensor)) options.values.emplace(name, tensor);
  for (std::set<std::string> fixed;;) {
    GraphImporter importer(model, options, fixed);
    try {
      return importer.run();
    } catch (Failure&) {
      const size_t before = fixed.size();
      fixed.insert(importer.wanted().begin(), importer.wanted().end());
      if (fixed.size() == before) throw;  // Else once more: at most once for each input.
    }
  }
}

}  // namespace hadal::onnx
