// An ONNX model as plain data: what the importers read, without protobuf.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::onnx {

struct ModelGraph;

struct ModelAttribute {
  enum class Kind { integer, number, text, tensor, graph, integers, numbers, texts, reference, other };
  Kind kind = Kind::other;
  int64_t integer = 0;
  double number = 0;
  std::string text = {};  ///< Of a reference: the attribute of the calling node.
  Tensor tensor = {};
  std::shared_ptr<const ModelGraph> graph = nullptr;
  std::vector<int64_t> integers = {};
  std::vector<double> numbers = {};
  std::vector<std::string> texts = {};
};
/// The word for a kind in messages, and its letters in the importers' rows ("i", "f", "s", "t", "g", "is", ...).
std::string_view name_of(ModelAttribute::Kind kind);
std::string_view letters_of(ModelAttribute::Kind kind);

struct ModelNode {
  std::string name, type, domain;  ///< The domain of ai.onnx is "".
  std::vector<std::string> inputs, outputs;
  std::map<std::string, ModelAttribute> attributes;
};

/// A dimension: an extent, a symbol, or neither.
struct ModelDim {
  std::optional<int64_t> extent;
  std::string symbol;
};

struct ModelValue {
  std::string name;
  bool is_tensor = false;    ///< Or elements are: false for maps, and sequences of sequences.
  bool is_sequence = false;  ///< Of tensors of the type that follows.
  bool is_optional = false;  ///< The tensor or sequence may be left out.
  int type_number = 0;       ///< ONNX's number of the element type.
  std::optional<DType> dtype;
  std::optional<std::vector<ModelDim>> shape;  ///< Empty where the rank is not known.
};

struct ModelGraph {
  std::string name;
  std::vector<ModelNode> nodes;
  std::vector<std::pair<std::string, Tensor>> constants;  ///< Initialisers.
  std::vector<ModelValue> inputs, outputs;
  std::map<std::string, ModelValue> types;  ///< Of values in between, where the model states them.
};

struct ModelFunction {
  std::string name, domain;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, ModelAttribute> defaults;
  std::vector<ModelNode> nodes;
  std::map<std::string, int> opsets;
};

struct Model {
  std::string file;  ///< Its name without folders, for places.
  ModelGraph graph;
  std::map<std::string, int> opsets;  ///< By domain.
  std::vector<ModelFunction> functions;
  std::map<std::string, std::string> metadata;
};

/// The element type of ONNX's number for it; none for strings and complex numbers.
std::optional<DType> dtype_of(int onnx_type);
/// "FLOAT16", "INT4" ... for messages.
std::string_view onnx_type_name(int onnx_type);

/// Parses a model file. Tensors share the parsed message's bytes, or map external files. With `allow_absent_data`,
/// external files that do not exist give tensors without bytes. Errors: onnx.file, onnx.parse, onnx.external,
/// onnx.dtype.
Result<Model> read_model(const std::filesystem::path& path, bool allow_absent_data);

}  // namespace hadal::onnx
