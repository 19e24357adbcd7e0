// ONNX file to graph.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "graph/graph.h"

namespace hadal::onnx {

/// A node of the model, as a kernel that may compute it sees it.
struct KernelNode {
  std::string op, name;                            ///< "Type" or "domain::Type".
  std::vector<std::optional<graph::Type>> inputs;  ///< None: not given.
  graph::Attributes attributes;                    ///< Numbers, texts and lists of numbers.
};
/// What computes it: a kernel by number and name, which sees the inputs with the extents of `inputs`, as many elements;
/// its results, and the extents that these have in the model.
struct Kernel {
  int64_t number = 0;
  std::string name;
  std::vector<Shape> inputs;
  std::vector<graph::Type> results;
  std::vector<Shape> shapes;
};
/// Kernels of the caller's, asked for nodes of these operators; none for a node: it is imported as usual.
struct KernelTable {
  std::set<std::string> operators = {};
  std::function<Result<std::optional<Kernel>>(const KernelNode& node)> kernel_of = {};
};

struct ImportOptions {
  std::map<std::string, Shape> shapes = {};     ///< Of inputs by name; binds the symbols of their dimensions.
  std::map<std::string, int64_t> symbols = {};  ///< Symbolic dimensions by name.
  /// Of inputs by name. Where such a small tensor decides a shape or an attribute, the input is a constant from then
  /// on.
  std::map<std::string, Tensor> values = {};
  bool allow_absent_data = false;  ///< Missing external files give constants without bytes.
  bool training = false;           ///< Batch norm goes by the batch; see Imported::parameters.
  KernelTable kernels = {};
  int64_t memory_limit = int64_t{1} << 36;  ///< Bytes: of any one value, and of all constants made while importing.
};

/// Elements of an input that may be taken as constants: lists of axes and extents are short.
inline constexpr int64_t most_fixed_elements = 4096;

/// A running statistic of batch norm: the parameter that holds it, and what a step makes of it.
struct Running {
  std::string parameter;
  graph::ValueId updated;
};

struct Imported {
  graph::Graph graph;
  std::map<std::string, Tensor> fixed;          ///< Inputs whose given values were taken as constants, by name.
  std::vector<std::string> notes;               ///< For the user: "unbound symbols are 1: batch".
  std::map<std::string, std::string> metadata;  ///< The model's metadata_props.
  /// For training: float initialisers of rank 1 and more are inputs of the graph, by name with their values, but for
  /// those that decide shapes or attributes.
  std::map<std::string, Tensor> parameters = {};
  std::vector<Running> running = {};
};

/// Reads the model and its external data (only files inside its folder). Opset 7 and newer. Every graph output is
/// the result of a node. Errors: onnx.file, onnx.parse, onnx.external, onnx.opset, onnx.unsupported (lists every node
/// that cannot be imported, with the reason), onnx.memory, onnx.graph. A single such node has an error of its own:
/// onnx.operator, onnx.attribute, onnx.shape, onnx.dtype, onnx.dynamic (the remedy names the inputs to give), or one of
/// the ops' rules; the place is "model.onnx: node 'name' (Type)".
Result<Imported> import_model(const std::filesystem::path& path, const ImportOptions& options);

struct ModelInput {
  std::string name;
  std::string type;  ///< "f32[batch,3,224,224]"
};
struct ModelSummary {
  std::map<std::string, int> opsets;        ///< Domain ("" is ai.onnx) to version.
  std::vector<ModelInput> inputs, outputs;  ///< Inputs without those that have initialisers.
  std::map<std::string, int> node_counts;   ///< By "Type" or "domain.Type", nested graphs included.
  int64_t parameter_bytes = 0;              ///< Of all initialisers.
  std::map<std::string, std::string> metadata;
};
/// Reads the file without importing it. Errors: onnx.file, onnx.parse, onnx.external.
Result<ModelSummary> summarize_model(const std::filesystem::path& path);

/// Versions of ai.onnx whose operators are known.
inline constexpr int oldest_opset = 1, newest_opset = 28;

/// An operator that has an importer. A node of another is imported where the model itself defines it as a function.
struct OperatorInfo {
  std::string name;            ///< "Type" or "domain.Type".
  size_t least = 0, most = 0;  ///< Inputs.
  std::vector<std::string> attributes;
  std::vector<std::string> becomes;  ///< Ops of the graph.
};
inline constexpr size_t any_number = 1u << 20;  ///< Of inputs.

/// Sorted by name.
std::vector<OperatorInfo> operators();

}  // namespace hadal::onnx
