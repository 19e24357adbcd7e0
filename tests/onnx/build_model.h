// Writes small ONNX files for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "onnx.pb.h"
#include "onnx/import.h"

namespace hadal::onnx {

namespace pb = ::onnx;

/// A model under construction.
struct ModelFile {
  pb::ModelProto model;

  explicit ModelFile(int opset = 17) {
    model.set_ir_version(8);
    auto* import = model.add_opset_import();
    import->set_domain("");
    import->set_version(opset);
    model.mutable_graph()->set_name("g");
  }
  pb::GraphProto& graph() { return *model.mutable_graph(); }

  /// A dimension below 0 is the symbol "n".
  static void describe(pb::ValueInfoProto& value, const std::string& name, const Shape& shape, int type) {
    value.set_name(name);
    auto* tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (const int64_t extent : shape) {
      auto* dim = tensor->mutable_shape()->add_dim();
      if (extent < 0)
        dim->set_dim_param("n");
      else
        dim->set_dim_value(extent);
    }
  }
  ModelFile& input(const std::string& name, const Shape& shape, int type = pb::TensorProto::FLOAT) {
    describe(*graph().add_input(), name, shape, type);
    return *this;
  }
  ModelFile& output(const std::string& name) {
    describe(*graph().add_output(), name, {}, pb::TensorProto::FLOAT);
    return *this;
  }
  static pb::NodeProto& node_in(pb::GraphProto& graph, const std::string& type, const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs, const std::string& name = "") {
    auto& node = *graph.add_node();
    node.set_op_type(type);
    node.set_name(name);
    for (const auto& i : inputs) node.add_input(i);
    for (const auto& o : outputs) node.add_output(o);
    return node;
  }
  pb::NodeProto& node(const std::string& type, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs, const std::string& name = "") {
    return node_in(graph(), type, inputs, outputs, name);
  }
  pb::TensorProto& weights(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(pb::TensorProto::FLOAT);
    for (const int64_t extent : shape) tensor.add_dims(extent);
    for (const float value : values) tensor.add_float_data(value);
    return tensor;
  }
  pb::TensorProto& indices(const std::string& name, const std::vector<int64_t>& values, bool scalar = false) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(pb::TensorProto::INT64);
    if (!scalar) tensor.add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values) tensor.add_int64_data(value);
    return tensor;
  }
};

inline pb::AttributeProto& attribute(pb::NodeProto& node, const std::string& name,
                                     pb::AttributeProto::AttributeType type) {
  auto& out = *node.add_attribute();
  out.set_name(name);
  out.set_type(type);
  return out;
}
inline void set(pb::NodeProto& node, const std::string& name, int64_t value) {
  attribute(node, name, pb::AttributeProto::INT).set_i(value);
}
inline void set(pb::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto& out = attribute(node, name, pb::AttributeProto::INTS);
  for (const int64_t value : values) out.add_ints(value);
}
inline void set(pb::NodeProto& node, const std::string& name, const std::string& value) {
  attribute(node, name, pb::AttributeProto::STRING).set_s(value);
}

/// A folder of its own for each test.
class ModelFolder : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder = std::filesystem::temp_directory_path() /
             fmt::format("hadal-{}-{}-{}", info->test_suite_name(), info->name(), ::getpid());
    std::filesystem::create_directories(folder / "model");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path save(const ModelFile& file) const {
    const auto path = folder / "model" / "m.onnx";
    std::ofstream(path, std::ios::binary) << file.model.SerializeAsString();
    return path;
  }
  Result<Imported> import(const ModelFile& file, const ImportOptions& options = {}) const {
    return import_model(save(file), options);
  }

  /// The error of a model that must be refused.
  Error refusal(const ModelFile& file, const ImportOptions& options = {}) const {
    auto imported = import(file, options);
    EXPECT_FALSE(imported.ok()) << "accepted";
    return imported.ok() ? Error{} : imported.error();
  }
  /// The outputs of a model that must be accepted.
  std::vector<Tensor> outputs(const ModelFile& file, const std::vector<Tensor>& inputs,
                              const ImportOptions& options = {}) const {
    auto imported = import(file, options);
    EXPECT_TRUE(imported.ok()) << (imported.ok() ? "" : imported.error().text());
    if (!imported.ok()) return {};
    auto values = graph::evaluate(imported->graph, inputs);
    EXPECT_TRUE(values.ok()) << (values.ok() ? "" : values.error().text());
    return values.ok() ? *values : std::vector<Tensor>{};
  }

  std::filesystem::path folder;
};

}  // namespace hadal::onnx
