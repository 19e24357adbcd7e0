#include "fuzz/models.h"

#include <sstream>

#include "base/tensor.h"
#include "onnx/importer.h"

namespace hadal::fuzz {

namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

void add_input(GraphProto& graph, const std::string& name, int type, const Shape& shape) {
  auto* input = graph.add_input();
  input->set_name(name);
  auto* tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  for (const int64_t extent : shape) tensor->mutable_shape()->add_dim()->set_dim_value(extent);
}

void add_tensor(GraphProto& graph, const std::string& name, int type, const Shape& shape, Random& random) {
  auto* tensor = graph.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (const int64_t extent : shape) tensor->add_dims(extent);
  for (int64_t i = elements(shape); i > 0; --i) {
    if (type == TensorProto::FLOAT)
      tensor->add_float_data(static_cast<float>(random.between(-8, 8)) / 4);
    else if (type == TensorProto::INT64)
      tensor->add_int64_data(random.one_in(20) ? edgy(random) : random.between(-1, 4));
    else
      tensor->add_int32_data(static_cast<int32_t>(random.between(0, 1)));
  }
}

NodeProto& add_node(GraphProto& graph, const std::string& type, const std::vector<std::string>& inputs,
                    const std::string& output) {
  NodeProto& node = *graph.add_node();
  node.set_op_type(type);
  node.set_name("node_" + output);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

ModelProto empty_model(int64_t opset) {
  ModelProto model;
  model.set_ir_version(8);
  auto* set = model.add_opset_import();
  set->set_version(opset);
  model.mutable_graph()->set_name("fuzzed");
  return model;
}

std::vector<const onnx::Operator*> all_operators() {
  std::vector<const onnx::Operator*> out;
  for (const auto rows :
       {onnx::elementwise_operators(), onnx::shape_operators(), onnx::constant_operators(), onnx::index_operators(),
        onnx::conv_operators(), onnx::matmul_operators(), onnx::norm_operators(), onnx::reduce_operators(),
        onnx::resize_operators(), onnx::attention_operators(), onnx::quantize_operators()})
    for (const onnx::Operator& row : rows) out.push_back(&row);
  return out;
}

int64_t likely(Random& random) { return random.one_in(25) ? edgy(random) : random.between(-1, 4); }

void set_attribute(NodeProto& node, const std::string& name, const std::string& kind, Random& random) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  if (kind == "i") {
    attribute.set_type(AttributeProto::INT);
    attribute.set_i(likely(random));
  } else if (kind == "is") {
    attribute.set_type(AttributeProto::INTS);
    for (size_t n = random.pick<size_t>({1, 2, 2, 2, 3, 4, 4}); n > 0; --n)
      attribute.add_ints(random.one_in(3) ? likely(random) : random.between(1, 2));
  } else if (kind == "f") {
    attribute.set_type(AttributeProto::FLOAT);
    attribute.set_f(random.pick({0.0f, 0.5f, 1.0f, -1.0f, 1e-5f, 1e30f, std::numeric_limits<float>::quiet_NaN()}));
  } else if (kind == "fs") {
    attribute.set_type(AttributeProto::FLOATS);
    for (size_t n = random.below(5); n > 0; --n) attribute.add_floats(random.pick({1.0f, 2.0f, 0.5f, 0.0f, -1.0f}));
  } else if (kind == "s") {
    attribute.set_type(AttributeProto::STRING);
    attribute.set_s(random.pick<std::string>(
        {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET",     "nearest",       "linear",     "cubic",
         "constant",   "reflect",    "edge",  "half_pixel", "align_corners", "asymmetric", "floor",
         "tanh",       "none",       "DCR",   "CRD",        "ij,jk->ik",     "i...->...",  "\xff"}));
  } else {
    attribute.set_type(AttributeProto::TENSOR);
    auto& tensor = *attribute.mutable_t();
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.add_dims(likely(random));
    tensor.add_float_data(1);
  }
}

void set_attributes(NodeProto& node, const onnx::Operator& row, Random& random) {
  std::istringstream words{std::string(row.attributes)};
  for (std::string word; words >> word;)
    if (const size_t colon = word.find(':'); colon != std::string::npos && random.one_in(3))
      set_attribute(node, word.substr(0, colon), word.substr(colon + 1), random);
}

/// A shape that operand `i` of such an operator often has.
Shape likely_shape(const std::string& type, size_t i, const Shape& base, Random& random) {
  if (random.one_in(12)) {
    Shape shape;
    for (size_t rank = random.below(6); rank > 0; --rank) shape.push_back(random.between(0, 5));
    return shape;
  }
  const int64_t channels = base.size() > 1 ? base[1] : 1, last = base.empty() ? 1 : base.back();
  const bool conv = type == "Conv" || type == "ConvTranspose";
  if (conv && i == 1) {
    Shape shape{type == "Conv" ? random.between(1, 6) : channels, type == "Conv" ? channels : random.between(1, 6)};
    for (size_t axis = 2; axis < base.size(); ++axis) shape.push_back(random.between(1, 3));
    return shape;
  }
  if ((type == "MatMul" || type == "Gemm") && i == 1) return {last, random.between(1, 9)};
  if (type.find("Normalization") != std::string::npos && i > 0) return {random.one_in(2) ? channels : last};
  if (i > 0 && random.one_in(4)) return random.one_in(2) ? Shape{} : Shape{last};
  return base;
}

bool wants_integers(const std::string& type, size_t i) {
  static const std::string shapes =
      " Reshape Expand Tile Pad Slice Squeeze Unsqueeze Gather GatherElements GatherND TopK "
      "ConstantOfShape Split OneHot Resize Range ScatterND ScatterElements Trilu CumSum ";
  const bool named = shapes.find(" " + type + " ") != std::string::npos;
  return (named && i > 0) || type == "ConstantOfShape" || (type.starts_with("Reduce") && i > 0);
}

template <class T>
T* any(google::protobuf::RepeatedPtrField<T>* list, Random& random) {
  return list->empty() ? nullptr : list->Mutable(static_cast<int>(random.below(static_cast<size_t>(list->size()))));
}

std::string any_name(GraphProto& graph, Random& random) {
  std::vector<std::string> names{"", "nothing", "a/../b", std::string("a\0b", 3), "\x1b[2J"};
  for (const auto& node : graph.node())
    for (const auto& output : node.output()) names.push_back(output);
  for (const auto& tensor : graph.initializer()) names.push_back(tensor.name());
  for (const auto& input : graph.input()) names.push_back(input.name());
  return random.pick(names);
}

void edit_attribute(AttributeProto& attribute, Random& random) {
  switch (random.below(4)) {
    case 0:
      if (attribute.ints_size() > 0)
        attribute.set_ints(static_cast<int>(random.below(static_cast<size_t>(attribute.ints_size()))), edgy(random));
      else
        attribute.set_i(edgy(random));
      break;
    case 1:
      attribute.add_ints(edgy(random));
      break;
    case 2:
      attribute.set_type(static_cast<AttributeProto::AttributeType>(random.between(0, 14)));
      break;
    default:
      attribute.set_name(random.pick<std::string>({"", "axis", "kernel_shape", "strides", "group", "pads"}));
  }
}

void edit_node(GraphProto& graph, NodeProto& node, Random& random) {
  switch (random.below(6)) {
    case 0:
      node.set_op_type(std::string(random.pick(all_operators())->type));
      break;
    case 1:
      if (node.input_size() > 0)
        node.set_input(static_cast<int>(random.below(static_cast<size_t>(node.input_size()))), any_name(graph, random));
      break;
    case 2:
      node.add_input(any_name(graph, random));
      break;
    case 3:
      if (node.output_size() > 0) node.set_output(0, any_name(graph, random));
      break;
    case 4:
      node.set_domain(random.pick<std::string>({"com.microsoft", "ai.onnx", "ai.onnx.ml", "?"}));
      break;
    default:
      if (auto* attribute = any(node.mutable_attribute(), random)) edit_attribute(*attribute, random);
  }
}

void edit_tensor(TensorProto& tensor, Random& random) {
  switch (random.below(6)) {
    case 0:
      if (tensor.dims_size() > 0)
        tensor.set_dims(static_cast<int>(random.below(static_cast<size_t>(tensor.dims_size()))), edgy(random));
      break;
    case 1:
      tensor.add_dims(edgy(random));
      break;
    case 2:
      tensor.set_data_type(static_cast<int32_t>(random.between(-1, 24)));
      break;
    case 3:
      tensor.set_raw_data(edited(tensor.raw_data(), random));
      break;
    case 4: {
      tensor.set_data_location(TensorProto::EXTERNAL);
      auto* entry = tensor.add_external_data();
      entry->set_key(random.pick<std::string>({"location", "offset", "length", "x"}));
      entry->set_value(
          random.pick<std::string>({"../x", "/etc/passwd", "model.onnx", "9999999999999999999", "-1", "0"}));
      break;
    }
    default:
      tensor.clear_dims();
  }
}

}  // namespace

ModelProto small_model() {
  Random random(1);
  ModelProto model = empty_model(17);
  GraphProto& graph = *model.mutable_graph();
  add_input(graph, "x", TensorProto::FLOAT, {1, 3, 8, 8});
  add_tensor(graph, "w", TensorProto::FLOAT, {4, 3, 3, 3}, random);
  add_tensor(graph, "v", TensorProto::FLOAT, {6, 5}, random);
  add_node(graph, "Conv", {"x", "w"}, "a");
  add_node(graph, "Relu", {"a"}, "b");
  add_node(graph, "MatMul", {"b", "v"}, "c");
  add_node(graph, "GlobalAveragePool", {"c"}, "y");
  graph.add_output()->set_name("y");
  return model;
}

ModelProto random_model(Random& random) {
  static const std::vector<const onnx::Operator*> operators = all_operators();
  ModelProto model = empty_model(random.pick<int64_t>({7, 9, 11, 13, 17, 18, 21}));
  GraphProto& graph = *model.mutable_graph();
  Shape base;
  for (size_t rank = random.pick<size_t>({1, 2, 3, 4, 4, 4, 5}); rank > 0; --rank) base.push_back(random.between(1, 9));
  const int type = random.pick<int>({TensorProto::FLOAT, TensorProto::FLOAT, TensorProto::FLOAT, TensorProto::FLOAT,
                                     TensorProto::INT64, TensorProto::BOOL, TensorProto::INT32});
  std::string last;
  for (size_t n = 1 + random.below(4), k = 0; k < n; ++k) {
    const onnx::Operator& row = *random.pick(operators);
    const std::string op(row.type), output = fmt::format("y{}", k);
    std::vector<std::string> inputs;
    for (size_t i = 0, count = row.least + random.below(std::min<size_t>(row.most, row.least + 3) - row.least + 1);
         i < count; ++i) {
      if (i == 0 && !last.empty()) {
        inputs.push_back(last);
        continue;
      }
      if (i >= row.least && random.one_in(3)) {
        inputs.emplace_back();
        continue;
      }
      inputs.push_back(fmt::format("x{}_{}", k, i));
      const bool integers = wants_integers(op, i);
      const Shape shape = integers ? Shape{random.between(1, 4)} : likely_shape(op, i, base, random);
      if (integers || (i > 0 && random.one_in(2)))
        add_tensor(graph, inputs.back(), integers ? int{TensorProto::INT64} : type, shape, random);
      else
        add_input(graph, inputs.back(), type, shape);
    }
    NodeProto& node = add_node(graph, op, inputs, output);
    node.set_domain(std::string(row.domain));
    set_attributes(node, row, random);
    last = output;
  }
  graph.add_output()->set_name(last);
  return model;
}

void edit_fields(ModelProto& model, Random& random) {
  GraphProto& graph = *model.mutable_graph();
  for (size_t edits = 1 + random.below(3); edits > 0; --edits) {
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        if (auto* node = any(graph.mutable_node(), random)) edit_node(graph, *node, random);
        break;
      case 3:
      case 4:
        if (auto* tensor = any(graph.mutable_initializer(), random)) edit_tensor(*tensor, random);
        break;
      case 5:
        if (auto* input = any(graph.mutable_input(), random)) {
          auto& type = *input->mutable_type()->mutable_tensor_type();
          if (random.one_in(4))
            type.set_elem_type(static_cast<int32_t>(random.between(-1, 24)));
          else if (auto* dim = any(type.mutable_shape()->mutable_dim(), random))
            dim->set_dim_value(edgy(random));
          else
            type.mutable_shape()->add_dim()->set_dim_param("n");
        }
        break;
      case 6:
        if (auto* output = any(graph.mutable_output(), random)) output->set_name(any_name(graph, random));
        break;
      case 7:
        if (graph.node_size() > 1) {
          const auto last = graph.node_size() - 1;
          graph.mutable_node()->SwapElements(static_cast<int>(random.below(static_cast<size_t>(last))), last);
        }
        break;
      case 8:
        if (auto* node = any(graph.mutable_node(), random)) graph.add_node()->CopyFrom(NodeProto(*node));
        break;
      default:
        if (random.one_in(4))
          model.mutable_opset_import(0)->set_version(edgy(random));
        else if (graph.node_size() > 0)
          graph.mutable_node()->DeleteSubrange(static_cast<int>(random.below(static_cast<size_t>(graph.node_size()))),
                                               1);
    }
  }
}

}  // namespace hadal::fuzz
