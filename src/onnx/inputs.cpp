#include "onnx/inputs.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

namespace hadal::onnx {

int64_t InputTypes::extent_of(const ModelValue& input, const std::string& symbol, std::optional<int64_t> given) {
  const auto bound = symbols_.find(symbol);
  if (symbol.empty() || bound == symbols_.end()) {
    if (!given)
      unbound_.insert(symbol.empty() ? fmt::format("a dimension of '{}'", printable(input.name)) : printable(symbol));
    const int64_t extent = given.value_or(1);
    if (!symbol.empty() && given) symbols_[symbol] = extent;
    return extent;
  }
  if (given && *given != bound->second)
    fail("onnx.shape", "input '{}': symbol '{}' is {} here and {} elsewhere", printable(input.name), printable(symbol),
         *given, bound->second);
  return bound->second;
}

namespace {

void check_kind(const ModelValue& input) {
  if (!input.is_tensor)
    fail("onnx.type", "input '{}' is neither a tensor nor a sequence of them", printable(input.name));
  if (!input.dtype)
    fail("onnx.dtype", "input '{}' is of {}, which is not supported", printable(input.name),
         onnx_type_name(input.type_number));
}

}  // namespace

Type InputTypes::type_of(const ModelValue& input) {
  const auto given = options_.shapes.find(input.name);
  const bool has_given = given != options_.shapes.end();
  if (!input.shape) {
    if (!has_given) fail("onnx.shape", "input '{}' has no shape in the model: give one", printable(input.name));
    return {*input.dtype, given->second};
  }
  if (has_given && given->second.size() != input.shape->size())
    fail("onnx.shape", "input '{}' has {} dimensions, the given shape {}", printable(input.name), input.shape->size(),
         given->second.size());
  Type type{*input.dtype, {}};
  for (size_t i = 0; i < input.shape->size(); ++i) {
    const ModelDim& dim = (*input.shape)[i];
    const std::optional<int64_t> wanted = has_given ? std::optional(given->second[i]) : std::nullopt;
    if (wanted && *wanted < 0) fail("onnx.shape", "input '{}': a dimension of {}", printable(input.name), *wanted);
    if (dim.extent && *dim.extent < 0)
      fail("onnx.shape", "input '{}': a dimension of {}", printable(input.name), *dim.extent);
    if (dim.extent && wanted && *wanted != *dim.extent)
      fail("onnx.shape", "input '{}': dimension {} is {}, the given shape has {}", printable(input.name), i,
           *dim.extent, *wanted);
    type.shape.push_back(dim.extent ? *dim.extent : extent_of(input, dim.symbol, wanted));
  }
  return type;
}

/// Their shapes are those given: what a model states of its sequences holds for no element in particular.
std::vector<InputTypes::Part> InputTypes::elements_of(const ModelValue& input) const {
  std::vector<Part> parts;
  for (;;) {
    std::string name = element_name(input.name, parts.size());
    const auto given = options_.shapes.find(name);
    if (given == options_.shapes.end()) return parts;
    parts.push_back({std::move(name), {*input.dtype, given->second}});
  }
}

std::vector<InputTypes::Part> InputTypes::parts_of(const ModelValue& input) {
  if (input.name.empty()) fail("onnx.graph", "an input has no name");
  check_kind(input);
  if (input.is_sequence) return elements_of(input);
  if (input.is_optional && !options_.shapes.contains(input.name)) return {};
  return {{input.name, type_of(input)}};
}

/// Every given shape is of an input.
void InputTypes::check_names(const std::vector<Input>& inputs) const {
  std::set<std::string_view> known;
  std::vector<std::string> names;
  for (const Input& input : inputs) {
    for (const Part& part : input.parts) known.insert(part.name);
    names.push_back(printable(input.stated->name) + (input.stated->is_sequence ? "[0], [1], ..." : ""));
  }
  for (const auto& [name, shape] : options_.shapes)
    if (!known.contains(name))
      fail("onnx.input", "the model has no input '{}'; it has: {}", printable(name), fmt::join(names, ", "));
}

std::vector<InputTypes::Input> InputTypes::all() {
  symbols_ = options_.symbols;
  for (const auto& [symbol, extent] : symbols_)
    if (extent < 0) fail("onnx.shape", "symbol '{}' is {}", printable(symbol), extent);
  std::unordered_set<std::string_view> constants;
  for (const auto& [name, tensor] : model_.graph.constants) constants.insert(name);
  std::vector<const ModelValue*> inputs;
  for (const ModelValue& input : model_.graph.inputs)
    if (!constants.contains(input.name)) inputs.push_back(&input);
  for (const ModelValue* input : inputs)  // Given shapes bind symbols before others use them.
    if (options_.shapes.contains(input->name)) parts_of(*input);
  std::vector<Input> out;
  for (const ModelValue* input : inputs) out.push_back({input, parts_of(*input)});
  check_names(out);
  return out;
}

}  // namespace hadal::onnx
