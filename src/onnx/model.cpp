// Protobuf messages to plain data; only write.cpp makes messages.
#include "onnx/model.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <new>

#include "onnx.pb.h"
#include "onnx/external.h"
#include "onnx/node_order.h"

namespace hadal::onnx {

namespace pb = ::onnx;

namespace {

std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

/// Turns a parsed message into plain data. Bytes of tensors stay in the message, which `owner_` keeps alive.
class Reader {
 public:
  Reader(std::shared_ptr<const pb::ModelProto> message, ExternalData& external)
      : owner_(std::move(message)), external_(external) {}

  Result<Model> model();

 private:
  Result<Tensor> tensor(const pb::TensorProto& from);
  Result<Tensor> packed(DType dtype, const Shape& shape, const pb::TensorProto& from);
  Result<Bytes> external(const pb::TensorProto& from, int64_t bytes);
  Result<ModelAttribute> attribute(const pb::AttributeProto& from);
  Result<ModelNode> node(const pb::NodeProto& from);
  Result<ModelGraph> graph(const pb::GraphProto& from);
  Result<ModelFunction> function(const pb::FunctionProto& from);

  std::shared_ptr<const pb::ModelProto> owner_;
  ExternalData& external_;
};

/// Elements from a typed field of the message.
template <class To, class Field>
Result<Tensor> from_field(DType dtype, const Shape& shape, const Field& field) {
  if (field.size() != elements(shape))
    return Error{"onnx.parse", fmt::format("{} values for a tensor of {}", field.size(), text_of(shape))};
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, shape, data);
  for (int i = 0; i < field.size(); ++i) {
    const To value = static_cast<To>(field.Get(i));
    std::memcpy(data + static_cast<size_t>(i) * sizeof(To), &value, sizeof(To));
  }
  return out;
}

Result<Tensor> from_fields(DType dtype, const Shape& shape, const pb::TensorProto& from) {
  switch (dtype) {
    case DType::f32:
      return from_field<float>(dtype, shape, from.float_data());
    case DType::f64:
      return from_field<double>(dtype, shape, from.double_data());
    case DType::i64:
      return from_field<int64_t>(dtype, shape, from.int64_data());
    case DType::u64:
      return from_field<uint64_t>(dtype, shape, from.uint64_data());
    case DType::u32:
      return from_field<uint32_t>(dtype, shape, from.uint64_data());
    case DType::i32:
      return from_field<int32_t>(dtype, shape, from.int32_data());
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return from_field<uint16_t>(dtype, shape, from.int32_data());
    case DType::boolean:
      return from_field<bool>(dtype, shape, from.int32_data());
    default:
      return from_field<uint8_t>(dtype, shape, from.int32_data());
  }
}

/// Types of less than 8 bits stand several in a byte, the first lowest; here each gets a byte.
Tensor unpacked(DType dtype, const Shape& shape, std::span<const std::byte> packed) {
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(dtype, shape, data);
  const int bits = info(dtype).bits, each = 8 / bits;
  for (int64_t i = 0; i < out.size(); ++i) {
    const int all = std::to_integer<int>(packed[static_cast<size_t>(i / each)]);
    const int low = all >> (i % each * bits) & ((1 << bits) - 1);
    const bool negative = !is_float(dtype) && info(dtype).is_signed && low > most_of(dtype);
    data[i] = static_cast<std::byte>(negative ? low - (1 << bits) : low);
  }
  return out;
}

Result<Bytes> Reader::external(const pb::TensorProto& from, int64_t bytes) {
  std::string location;
  int64_t offset = 0, length = bytes;
  const auto number = [](const std::string& text, int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
  };
  for (const auto& entry : from.external_data()) {
    if (entry.key() == "location") location = entry.value();
    const bool good = entry.key() == "offset"   ? number(entry.value(), offset)
                      : entry.key() == "length" ? number(entry.value(), length)
                                                : true;
    if (!good)
      return Error{"onnx.external",
                   fmt::format("external data: {} is '{}'", printable(entry.key()), printable(entry.value()))};
  }
  if (length != bytes)
    return Error{"onnx.external", fmt::format("external data of {} bytes for a tensor of {}", length, bytes)};
  return external_.bytes(location, offset, length);
}

Result<Tensor> Reader::packed(DType dtype, const Shape& shape, const pb::TensorProto& from) {
  const int each = 8 / info(dtype).bits;
  const int64_t bytes = (elements(shape) + each - 1) / each;
  if (from.data_location() == pb::TensorProto::EXTERNAL) {
    HADAL_TRY(const Bytes data, external(from, bytes));
    if (data.view.empty() && bytes > 0) return Tensor{dtype, shape, {}};  // Absent, and allowed to be.
    return unpacked(dtype, shape, data.view);
  }
  std::string data = from.raw_data();
  if (!from.has_raw_data())
    for (const int32_t value : from.int32_data()) data.push_back(static_cast<char>(value));
  if (static_cast<int64_t>(data.size()) != bytes)
    return Error{"onnx.parse",
                 fmt::format("{} bytes for a tensor of {}, packed in {}", data.size(), text_of(shape), bytes)};
  return unpacked(dtype, shape, std::as_bytes(std::span<const char>(data)));
}

Result<Tensor> Reader::tensor(const pb::TensorProto& from) {
  const auto dtype = dtype_of(from.data_type());
  if (!dtype)
    return Error{"onnx.dtype", fmt::format("tensors of {} are not supported", onnx_type_name(from.data_type()))};
  const Shape shape(from.dims().begin(), from.dims().end());
  const int64_t bytes = checked_bytes(shape, bytes_of(*dtype));
  if (bytes < 0) return Error{"onnx.shape", fmt::format("{} is no shape", text_of(shape))};
  Tensor out{*dtype, shape, {}};
  if (info(*dtype).bits < 8) return packed(*dtype, shape, from);
  if (from.data_location() == pb::TensorProto::EXTERNAL) {
    if (bytes == 0) return out;
    HADAL_TRY(out.bytes, external(from, bytes));
  } else if (from.has_raw_data()) {
    const std::string& raw = from.raw_data();
    if (static_cast<int64_t>(raw.size()) != bytes)
      return Error{"onnx.parse", fmt::format("{} raw bytes for a tensor of {}", raw.size(), bytes)};
    out.bytes = {owner_, std::as_bytes(std::span<const char>(raw.data(), raw.size()))};
  } else {
    return from_fields(*dtype, shape, from);
  }
  if (reinterpret_cast<uintptr_t>(out.bytes.view.data()) % static_cast<uintptr_t>(bytes_of(*dtype)) != 0) {
    std::byte* data = nullptr;  // Elements are read in place: they must be aligned.
    Tensor aligned = Tensor::zeros(*dtype, shape, data);
    std::memcpy(data, out.bytes.view.data(), out.bytes.view.size());
    return aligned;
  }
  return out;
}

ModelAttribute::Kind kind_of(const pb::AttributeProto& from) {
  using Kind = ModelAttribute::Kind;
  if (!from.ref_attr_name().empty()) return Kind::reference;
  switch (from.type()) {
    case pb::AttributeProto::INT:
      return Kind::integer;
    case pb::AttributeProto::FLOAT:
      return Kind::number;
    case pb::AttributeProto::STRING:
      return Kind::text;
    case pb::AttributeProto::TENSOR:
      return Kind::tensor;
    case pb::AttributeProto::GRAPH:
      return Kind::graph;
    case pb::AttributeProto::INTS:
      return Kind::integers;
    case pb::AttributeProto::FLOATS:
      return Kind::numbers;
    case pb::AttributeProto::STRINGS:
      return Kind::texts;
    case pb::AttributeProto::UNDEFINED:
      break;  // Files of the first version have no type.
    default:
      return Kind::other;
  }
  if (from.has_i()) return Kind::integer;
  if (from.has_f()) return Kind::number;
  if (from.has_s()) return Kind::text;
  if (from.has_t()) return Kind::tensor;
  if (from.has_g()) return Kind::graph;
  if (from.ints_size() > 0) return Kind::integers;
  if (from.floats_size() > 0) return Kind::numbers;
  return from.strings_size() > 0 ? Kind::texts : Kind::other;
}

Result<ModelAttribute> Reader::attribute(const pb::AttributeProto& from) {
  ModelAttribute out{.kind = kind_of(from)};
  out.integer = from.i();
  out.number = static_cast<double>(from.f());
  out.text = out.kind == ModelAttribute::Kind::reference ? from.ref_attr_name() : from.s();
  out.integers.assign(from.ints().begin(), from.ints().end());
  out.numbers.assign(from.floats().begin(), from.floats().end());
  out.texts.assign(from.strings().begin(), from.strings().end());
  if (out.kind == ModelAttribute::Kind::tensor) {
    HADAL_TRY(out.tensor, tensor(from.t()));
  }
  if (out.kind == ModelAttribute::Kind::graph) {
    HADAL_TRY(ModelGraph nested, graph(from.g()));
    out.graph = std::make_shared<const ModelGraph>(std::move(nested));
  }
  return out;
}

Result<ModelNode> Reader::node(const pb::NodeProto& from) {
  ModelNode out{from.name(),
                from.op_type(),
                domain_of(from.domain()),
                {from.input().begin(), from.input().end()},
                {from.output().begin(), from.output().end()},
                {}};
  for (const auto& entry : from.attribute()) {
    const std::string place = fmt::format("node '{}' ({}), attribute '{}'", printable(out.name), printable(out.type),
                                          printable(entry.name()));
    auto value = attribute(entry);
    if (!value) return std::move(value).error().at(place);
    if (!out.attributes.emplace(entry.name(), std::move(value).value()).second)
      return Error{"onnx.attribute", "the attribute is given twice", place};
  }
  return out;
}

ModelValue value_of(const pb::ValueInfoProto& from) {
  const bool is_optional = from.type().has_optional_type();
  const pb::TypeProto& stated = is_optional ? from.type().optional_type().elem_type() : from.type();
  const bool is_sequence = stated.has_sequence_type();
  const pb::TypeProto& element = is_sequence ? stated.sequence_type().elem_type() : stated;
  ModelValue out{from.name(), element.has_tensor_type(), is_sequence, is_optional, 0, {}, {}};
  if (!out.is_tensor) return out;
  const auto& type = element.tensor_type();
  out.type_number = type.elem_type();
  out.dtype = dtype_of(type.elem_type());
  if (!type.has_shape()) return out;
  out.shape.emplace();
  for (const auto& dim : type.shape().dim()) {
    if (dim.has_dim_value())
      out.shape->push_back({dim.dim_value(), ""});
    else
      out.shape->push_back({std::nullopt, dim.dim_param()});
  }
  return out;
}

Result<ModelGraph> Reader::graph(const pb::GraphProto& from) {
  ModelGraph out;
  out.name = from.name();
  if (from.sparse_initializer_size() > 0) return Error{"onnx.dtype", "sparse initializers are not supported"};
  out.nodes.reserve(static_cast<size_t>(from.node_size()));
  for (const auto& entry : from.node()) {
    HADAL_TRY(ModelNode made, node(entry));
    out.nodes.push_back(std::move(made));
  }
  put_in_order(out.nodes);
  for (const auto& entry : from.initializer()) {
    auto value = tensor(entry);
    if (!value) return std::move(value).error().at(fmt::format("initializer '{}'", printable(entry.name())));
    out.constants.emplace_back(entry.name(), std::move(value).value());
  }
  for (const auto& entry : from.input()) out.inputs.push_back(value_of(entry));
  for (const auto& entry : from.output()) out.outputs.push_back(value_of(entry));
  for (const auto& entry : from.value_info()) out.types.emplace(entry.name(), value_of(entry));
  return out;
}

template <class Imports>
Result<std::map<std::string, int>> opsets_of(const Imports& imports) {
  std::map<std::string, int> out;
  for (const auto& entry : imports) {
    if (entry.version() < 0 || entry.version() > std::numeric_limits<int>::max())
      return Error{"onnx.opset", fmt::format("opset {}", entry.version())};
    out[domain_of(entry.domain())] = static_cast<int>(entry.version());
  }
  return out;
}

Result<ModelFunction> Reader::function(const pb::FunctionProto& from) {
  ModelFunction out{from.name(),
                    domain_of(from.domain()),
                    {from.input().begin(), from.input().end()},
                    {from.output().begin(), from.output().end()},
                    {},
                    {},
                    {}};
  for (const auto& entry : from.attribute_proto()) {
    HADAL_TRY(out.defaults[entry.name()], attribute(entry));
  }
  for (const auto& entry : from.node()) {
    HADAL_TRY(ModelNode made, node(entry));
    out.nodes.push_back(std::move(made));
  }
  put_in_order(out.nodes);
  HADAL_TRY(out.opsets, opsets_of(from.opset_import()));
  return out;
}

Result<Model> Reader::model() {
  Model out;
  if (!owner_->has_graph()) return Error{"onnx.parse", "the file holds no graph"};
  HADAL_TRY(out.opsets, opsets_of(owner_->opset_import()));
  HADAL_TRY(out.graph, graph(owner_->graph()));
  for (const auto& entry : owner_->functions()) {
    HADAL_TRY(ModelFunction made, function(entry));
    out.functions.push_back(std::move(made));
  }
  for (const auto& entry : owner_->metadata_props()) out.metadata[entry.key()] = entry.value();
  return out;
}

}  // namespace

Result<Model> read_model(const std::filesystem::path& path, bool allow_absent_data) try {
  HADAL_TRY(const Bytes file, map_file(path));
  const std::string name = printable(path.filename().string());
  if (file.view.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return Error{"onnx.parse", fmt::format("the file has {} bytes, more than a protobuf message can", file.view.size()),
                 name, "store the weights as external data"};
  auto message = std::make_shared<pb::ModelProto>();
  if (file.view.empty() || !message->ParseFromArray(file.view.data(), static_cast<int>(file.view.size())))
    return Error{"onnx.parse", "the file is not an ONNX model (or it is cut, or nested too deeply)", name};
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  ExternalData external(folder, allow_absent_data);
  auto model = Reader(message, external).model();
  if (!model) {
    Error error = std::move(model).error();
    error.place = error.place.empty() ? name : fmt::format("{}: {}", name, error.place);
    return error;
  }
  model->file = name;
  return model;
} catch (const std::bad_alloc&) {
  return Error{"onnx.memory", "the model does not fit in memory", printable(path.filename().string())};
}

}  // namespace hadal::onnx
