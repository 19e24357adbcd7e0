#include "onnx/import.h"

#include <fmt/ranges.h>

#include <new>
#include <unordered_set>

#include "onnx/importer.h"

namespace hadal::onnx {

Result<Imported> import_model(const std::filesystem::path& path, const ImportOptions& options) try {
  HADAL_TRY(const Model model, read_model(path, options.allow_absent_data));
  try {
    Imported out = import_graph(model, options);
    HADAL_CHECK(graph::verify(out.graph));
    return out;
  } catch (Failure& failure) {
    return std::move(failure.error).at(model.file);
  }
} catch (const std::bad_alloc&) {
  return Error{"onnx.memory", "the model does not fit in memory", printable(path.filename().string())};
}

namespace {

std::string text_of(const ModelValue& value) {
  const std::string type =
      value.dtype ? std::string(hadal::name_of(*value.dtype)) : std::string(onnx_type_name(value.type_number));
  if (!value.is_tensor) return "not a tensor";
  if (value.is_sequence) return fmt::format("sequence of {}", type);
  if (!value.shape) return type;
  std::vector<std::string> dims;
  for (const ModelDim& dim : *value.shape)
    dims.push_back(dim.extent ? fmt::format("{}", *dim.extent) : dim.symbol.empty() ? "?" : printable(dim.symbol));
  return fmt::format("{}[{}]", type, fmt::join(dims, ","));
}

void count_nodes(const std::vector<ModelNode>& nodes, std::map<std::string, int>& counts) {
  for (const ModelNode& node : nodes) {
    ++counts[printable(node.domain.empty() ? node.type : node.domain + "." + node.type)];
    for (const auto& [name, attribute] : node.attributes)
      if (attribute.graph) count_nodes(attribute.graph->nodes, counts);
  }
}

}  // namespace

Result<ModelSummary> summarize_model(const std::filesystem::path& path) try {
  HADAL_TRY(const Model model, read_model(path, true));
  ModelSummary out;
  out.opsets = model.opsets;
  out.metadata = model.metadata;
  std::unordered_set<std::string> constants;
  for (const auto& [name, tensor] : model.graph.constants) {
    constants.insert(name);
    out.parameter_bytes += checked_bytes(tensor.shape, bytes_of(tensor.dtype));
  }
  for (const ModelValue& input : model.graph.inputs)
    if (!constants.contains(input.name)) out.inputs.push_back({input.name, text_of(input)});
  for (const ModelValue& output : model.graph.outputs) out.outputs.push_back({output.name, text_of(output)});
  count_nodes(model.graph.nodes, out.node_counts);
  return out;
} catch (const std::bad_alloc&) {
  return Error{"onnx.memory", "the model does not fit in memory", printable(path.filename().string())};
}

}  // namespace hadal::onnx
