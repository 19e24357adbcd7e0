// What a model means once imported: shapes, symbols, names, folding, branches, functions.
#include <unistd.h>

#include "graph/helpers.h"
#include "graph/simplify.h"
#include "onnx/build_model.h"

namespace hadal::onnx {
namespace {

using graph::expect_values;
using graph::floats;
using graph::integers;

class Import : public ModelFolder {};

ModelFile relu_of_x(const Shape& shape) {
  ModelFile file;
  file.input("x", shape).output("y").node("Relu", {"x"}, {"y"}, "the_relu");
  return file;
}

TEST_F(Import, NamesAndOriginsAreTheModels) {
  const auto imported = import(relu_of_x({2}));
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(graph::text_of(imported->graph),
            "graph g\n  input %x: f32[2]\n  %y: f32[2] = relu(%x)  # the_relu\n  return %y\n");
}

TEST_F(Import, UnboundSymbolsAreOneAndNoted) {
  const auto imported = import(relu_of_x({-1, 3}));
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(imported->graph.type(imported->graph.inputs[0]).shape, (Shape{1, 3}));
  EXPECT_EQ(imported->notes, std::vector<std::string>{"unbound symbols are 1: n"});
}

TEST_F(Import, ShapesBindSymbolsEverywhere) {
  ModelFile file;
  file.input("a", {-1, 2}).input("b", {-1, 2}).output("y").node("Add", {"a", "b"}, {"y"});
  const auto imported = import(file, {.shapes = {{"b", {5, 2}}}});
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(imported->graph.type(imported->graph.inputs[0]).shape, (Shape{5, 2}));
  EXPECT_TRUE(imported->notes.empty());
  EXPECT_EQ(refusal(file, {.shapes = {{"a", {4, 2}}, {"b", {5, 2}}}}).code, "onnx.shape");
  EXPECT_EQ(refusal(file, {.shapes = {{"a", {4, 3}}}}).code, "onnx.shape");
  EXPECT_EQ(refusal(file, {.shapes = {{"a", {4}}}}).code, "onnx.shape");
  const Error unknown = refusal(file, {.shapes = {{"c", {4}}}});
  EXPECT_EQ(unknown.code, "onnx.input");
  EXPECT_NE(unknown.message.find("a, b"), std::string::npos);
}

TEST_F(Import, GivenValuesThatDecideShapesAreConstants) {
  ModelFile file;
  file.input("x", {2, 3}).input("shape", {2}, pb::TensorProto::INT64).input("k", {}, pb::TensorProto::INT64);
  file.output("y").node("Reshape", {"x", "shape"}, {"z"}, "reshape");
  file.node("Trilu", {"z", "k"}, {"y"}, "trilu");
  const Error refused = refusal(file);
  EXPECT_EQ(refused.code, "onnx.dynamic") << refused.text();
  EXPECT_NE(refused.message.find("'shape'"), std::string::npos) << refused.message;
  EXPECT_NE(refused.remedy.find("--input"), std::string::npos) << refused.remedy;
  const ImportOptions options{.values = {{"x", floats({2, 3}, {1, 2, 3, 4, 5, 6})},
                                         {"shape", integers({2}, {3, 2})},
                                         {"k", integers({}, {1})}}};
  const auto imported = import(file, options);
  ASSERT_TRUE(imported.ok()) << imported.error().text();
  EXPECT_EQ(imported->graph.inputs.size(), 1u);  // x decides no shape: it stays an input.
  ASSERT_EQ(imported->fixed.size(), 2u);
  EXPECT_EQ(integer_at(imported->fixed.at("shape"), 0), 3);
  ASSERT_EQ(imported->notes.size(), 2u);
  EXPECT_EQ(imported->notes[1], "compiled for these values of 'shape': [3, 2]");
  expect_values(outputs(file, {floats({2, 3}, {1, 2, 3, 4, 5, 6})}, options)[0], {3, 2}, {0, 2, 0, 0, 0, 0});
}

TEST_F(Import, GivenValuesOfAnotherTypeOrTooManyAreRefused) {
  ModelFile file;
  file.input("x", {6}).input("shape", {2}, pb::TensorProto::INT64).output("y");
  file.node("Reshape", {"x", "shape"}, {"y"});
  EXPECT_EQ(refusal(file, {.values = {{"shape", floats({2}, {3, 2})}}}).code, "onnx.input");
  EXPECT_EQ(refusal(file, {.values = {{"shape", integers({1}, {6})}}}).code, "onnx.input");
  ModelFile large;
  large.input("x", {8192}).output("y").node("NonZero", {"x"}, {"y"});
  EXPECT_EQ(refusal(large, {.values = {{"x", floats({8192}, std::vector<float>(8192))}}}).code, "onnx.dynamic");
}

TEST_F(Import, ShapeArithmeticIsFolded) {
  ModelFile file;
  file.input("x", {-1, 3, 4}).output("y");
  file.indices("zero", {0}, true);
  file.indices("first", {0});
  file.indices("rest", {-1});
  file.node("Shape", {"x"}, {"shape"}, "shape");
  file.node("Gather", {"shape", "zero"}, {"batch"}, "gather");
  file.node("Unsqueeze", {"batch", "first"}, {"one"}, "unsqueeze");
  auto& concat = file.node("Concat", {"one", "rest"}, {"to"}, "concat");
  set(concat, "axis", 0);
  file.node("Reshape", {"x", "to"}, {"y"}, "reshape");
  const auto imported = import(file, {.symbols = {{"n", 2}}});
  ASSERT_TRUE(imported.ok()) << imported.error().text();
  ASSERT_EQ(imported->graph.nodes.size(), 1u);
  EXPECT_EQ(imported->graph.type(imported->graph.outputs[0]).shape, (Shape{2, 12}));
}

TEST_F(Import, EveryModelNodeIsNamedBySomeGraphNode) {
  ModelFile file;
  file.input("x", {4}).output("y");
  file.weights("c", {4}, {1, 2, 3, 4});
  file.node("Neg", {"c"}, {"d"}, "folded");
  file.node("Identity", {"x"}, {"same"}, "alias");
  file.node("Add", {"same", "d"}, {"y"}, "sum");
  const auto imported = import(file);
  ASSERT_TRUE(imported.ok());
  ASSERT_EQ(imported->graph.nodes.size(), 1u);
  const auto& origins = imported->graph.nodes[0].origins;
  EXPECT_EQ(std::set<std::string>(origins.begin(), origins.end()), (std::set<std::string>{"sum", "alias", "folded"}));
  EXPECT_EQ(origins[0], "sum");
}

TEST_F(Import, NodesStandInAnyOrder) {
  ModelFile file;
  file.input("x", {2}).output("y");
  file.node("Add", {"a", "b"}, {"y"}, "sum");
  file.node("Relu", {"c"}, {"b"}, "relu");
  file.node("Neg", {"x"}, {"a"}, "first");
  file.node("Exp", {"x"}, {"c"}, "second");
  const auto imported = import(file);
  ASSERT_TRUE(imported.ok()) << imported.error().text();
  std::string order;
  for (const graph::Node& node : imported->graph.nodes) order += node.origins[0] + " ";
  EXPECT_EQ(order, "first second relu sum ");
  file.node("Abs", {"e"}, {"d"}, "one");
  file.node("Abs", {"d"}, {"e"}, "other");
  EXPECT_EQ(import(file).error().code, "onnx.graph");
}

TEST_F(Import, EveryOutputIsANodesOwnResult) {
  ModelFile file;
  file.input("x", {2}).output("same").output("constant").output("twice");
  file.weights("constant", {1}, {7});
  file.node("Identity", {"x"}, {"same"});
  file.node("Identity", {"same"}, {"twice"});
  const auto values = outputs(file, {floats({2}, {1, 2})});
  ASSERT_EQ(values.size(), 3u);
  expect_values(values[0], {2}, {1, 2});
  expect_values(values[1], {1}, {7});
  expect_values(values[2], {2}, {1, 2});
  const auto imported = import(file);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GE(imported->graph.value(imported->graph.outputs[i]).producer, 0);
    EXPECT_EQ(imported->graph.value(imported->graph.outputs[i]).name,
              file.model.graph().output(static_cast<int>(i)).name());
  }
  graph::Graph simple = imported->graph;
  ASSERT_TRUE(graph::simplify(simple).ok());
  EXPECT_TRUE(graph::verify(simple).ok());
  EXPECT_EQ(simple.nodes.size(), 3u);
}

TEST_F(Import, InitialisersOfEveryType) {
  const auto check = [&](int type, const auto& fill, double expected) {
    ModelFile file;
    file.output("y").node("Cast", {"w"}, {"y"});
    set(*file.graph().mutable_node(0), "to", int64_t{pb::TensorProto::DOUBLE});
    auto& tensor = *file.graph().add_initializer();
    tensor.set_name("w");
    tensor.set_data_type(type);
    fill(tensor);
    const auto values = outputs(file, {});
    ASSERT_EQ(values.size(), 1u) << type;
    EXPECT_EQ(number_at(values[0], 0), expected) << type;
  };
  const auto ints = [](int32_t value) { return [value](pb::TensorProto& t) { t.add_int32_data(value); }; };
  check(pb::TensorProto::FLOAT, [](pb::TensorProto& t) { t.add_float_data(1.5f); }, 1.5);
  check(pb::TensorProto::DOUBLE, [](pb::TensorProto& t) { t.add_double_data(-2.25); }, -2.25);
  check(pb::TensorProto::INT64, [](pb::TensorProto& t) { t.add_int64_data(-7); }, -7);
  check(pb::TensorProto::UINT64, [](pb::TensorProto& t) { t.add_uint64_data(7); }, 7);
  check(pb::TensorProto::UINT32, [](pb::TensorProto& t) { t.add_uint64_data(4000000000u); }, 4000000000.0);
  check(pb::TensorProto::INT32, ints(-9), -9);
  check(pb::TensorProto::INT16, ints(-300), -300);
  check(pb::TensorProto::UINT16, ints(65535), 65535);
  check(pb::TensorProto::INT8, ints(-128), -128);
  check(pb::TensorProto::UINT8, ints(255), 255);
  check(pb::TensorProto::BOOL, ints(1), 1);
  check(pb::TensorProto::FLOAT16, ints(0x3e00), 1.5);
  check(pb::TensorProto::BFLOAT16, ints(0x3fc0), 1.5);
  check(pb::TensorProto::FLOAT8E4M3FN, ints(0x3c), 1.5);
  check(pb::TensorProto::FLOAT8E5M2, ints(0x3e), 1.5);
  check(pb::TensorProto::INT16, [](pb::TensorProto& t) { t.set_raw_data(std::string("\x00\x01", 2)); }, 256);
}

TEST_F(Import, AConstantConditionTakesItsBranch) {
  for (const bool condition : {true, false}) {
    ModelFile file;
    file.input("x", {2}).output("y");
    auto& chosen = *file.graph().add_initializer();
    chosen.set_name("c");
    chosen.set_data_type(pb::TensorProto::BOOL);
    chosen.add_int32_data(condition);
    auto& node = file.node("If", {"c"}, {"y"}, "choice");
    for (const char* const name : {"then_branch", "else_branch"}) {
      auto& branch = *attribute(node, name, pb::AttributeProto::GRAPH).mutable_g();
      ModelFile::node_in(branch, name[0] == 't' ? "Neg" : "Abs", {"x"}, {"inner"}, "work");
      ModelFile::describe(*branch.add_output(), "inner", {2}, pb::TensorProto::FLOAT);
    }
    const auto values = outputs(file, {floats({2}, {1, -2})});
    ASSERT_EQ(values.size(), 1u);
    expect_values(values[0], {2}, condition ? std::vector<double>{-1, 2} : std::vector<double>{1, 2});
  }
  ModelFile dynamic;
  dynamic.input("c", {1}, pb::TensorProto::BOOL).output("y").node("If", {"c"}, {"y"}, "choice");
  const Error error = refusal(dynamic);
  EXPECT_EQ(error.code, "onnx.dynamic");
  EXPECT_EQ(error.place, "m.onnx: node 'choice' (If)");
}

TEST_F(Import, FunctionsOfTheModelAreInlined) {
  ModelFile file;
  file.input("x", {2}).output("y");
  auto* import_mine = file.model.add_opset_import();
  import_mine->set_domain("mine");
  import_mine->set_version(1);
  auto& function = *file.model.add_functions();
  function.set_name("Soft");
  function.set_domain("mine");
  function.add_input("a");
  function.add_output("b");
  function.add_attribute("slope");
  auto* opset = function.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  auto& body = *function.add_node();
  body.set_op_type("LeakyRelu");
  body.add_input("a");
  body.add_output("b");
  auto& reference = *body.add_attribute();
  reference.set_name("alpha");
  reference.set_type(pb::AttributeProto::FLOAT);
  reference.set_ref_attr_name("slope");
  auto& call = file.node("Soft", {"x"}, {"y"}, "call");
  call.set_domain("mine");
  attribute(call, "slope", pb::AttributeProto::FLOAT).set_f(0.5f);
  const auto values = outputs(file, {floats({2}, {-2, 3})});
  ASSERT_EQ(values.size(), 1u);
  expect_values(values[0], {2}, {-1, 3});
}

TEST_F(Import, SoftmaxBeforeOpset13IsOverAMatrix) {
  for (const int opset : {11, 13}) {
    ModelFile file(opset);
    file.input("x", {1, 2, 2}).output("y").node("Softmax", {"x"}, {"y"});
    set(*file.graph().mutable_node(0), "axis", 1);
    const auto values = outputs(file, {floats({1, 2, 2}, {0, 0, 0, 0})});
    ASSERT_EQ(values.size(), 1u);
    expect_values(values[0], {1, 2, 2}, std::vector<double>(4, opset < 13 ? 0.25 : 0.5));
  }
}

TEST_F(Import, CeilModeDoesNotCountWhatItAdds) {
  ModelFile file;
  file.input("x", {1, 1, 4}).output("y");
  auto& node = file.node("AveragePool", {"x"}, {"y"});
  set(node, "kernel_shape", std::vector<int64_t>{3});
  set(node, "strides", std::vector<int64_t>{2});
  set(node, "ceil_mode", 1);
  set(node, "count_include_pad", 1);
  expect_values(outputs(file, {floats({1, 1, 4}, {1, 2, 3, 5})}).at(0), {1, 1, 2}, {2, 4});
}

TEST_F(Import, EinsumIsAProduct) {
  ModelFile file;
  file.input("a", {2, 3}).input("b", {4, 3}).output("y");
  set(file.node("Einsum", {"a", "b"}, {"y"}), "equation", "ij,kj->ki");
  const auto values =
      outputs(file, {floats({2, 3}, {0, 1, 2, 3, 4, 5}), floats({4, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1})});
  ASSERT_EQ(values.size(), 1u);
  expect_values(values[0], {4, 2}, {0, 3, 1, 4, 2, 5, 3, 12});
}

TEST_F(Import, AbsentDataGiveTheSameGraph) {
  ModelFile file;
  file.input("x", {1, 8, 8, 8}).output("y");
  auto& weights = file.weights("w", {8, 8, 3, 3}, {});
  weights.set_data_location(pb::TensorProto::EXTERNAL);
  auto& location = *weights.add_external_data();
  location.set_key("location");
  location.set_value("w.bin");
  file.node("Conv", {"x", "w"}, {"y"}, "conv");
  EXPECT_EQ(refusal(file).code, "onnx.external");
  const auto absent = import(file, {.allow_absent_data = true});
  ASSERT_TRUE(absent.ok()) << absent.error().text();
  std::ofstream(folder / "model" / "w.bin", std::ios::binary) << std::string(8 * 8 * 9 * 4, '\0');
  const auto present = import(file);
  ASSERT_TRUE(present.ok()) << present.error().text();
  EXPECT_EQ(graph::text_of(absent->graph), graph::text_of(present->graph));
}

TEST_F(Import, AllNodesThatCannotBeImportedAreTold) {
  ModelFile file;
  file.input("x", {2, 3}).input("p", {2}, pb::TensorProto::BOOL).output("y");
  file.node("Frobnicate", {"x"}, {"a"}, "unknown");
  file.node("Exp", {"p"}, {"b"}, "type");
  auto& attribute = *file.node("Relu", {"a"}, {"c"}, "attribute").add_attribute();
  attribute.set_name("slope");
  attribute.set_type(pb::AttributeProto::FLOAT);
  file.node("Reshape", {"x", "p"}, {"d"}, "form");
  file.node("Add", {"b", "c"}, {"e"}, "fine");
  file.node("Sum", {"e", "d"}, {"y"}, "fine too");
  const Error error = refusal(file);
  EXPECT_EQ(error.code, "onnx.unsupported");
  EXPECT_EQ(error.message,
            "4 nodes are not supported: 'unknown' (Frobnicate), 'type' (Exp: exp is not defined for bool), 'attribute' "
            "(Relu: attribute 'slope' is not known), 'form' (Reshape: input 1 (shape) depends on data that are only "
            "known when the model runs: 'p')");
}

/// What a refused node makes is known where the model states its type.
TEST_F(Import, NodesBehindARefusedOneAreLookedAtToo) {
  ModelFile file;
  file.input("x", {2, 3}).output("y");
  file.node("Frobnicate", {"x"}, {"a"}, "unknown");
  file.node("Not", {"a"}, {"y"}, "type");
  EXPECT_EQ(refusal(file).code, "onnx.operator");
  ModelFile::describe(*file.model.mutable_graph()->add_value_info(), "a", {2, 3}, pb::TensorProto::FLOAT);
  EXPECT_EQ(refusal(file).message,
            "2 nodes are not supported: 'unknown' (Frobnicate), 'type' (Not: not is not defined for f32)");
}

TEST_F(Import, SummaryNamesWhatIsThere) {
  ModelFile file;
  file.input("x", {-1, 3}).output("y").weights("w", {3}, {1, 2, 3});
  file.node("Add", {"x", "w"}, {"a"});
  file.node("Frobnicate", {"a"}, {"y"}, "odd");
  const auto summary = summarize_model(save(file));
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->opsets.at(""), 17);
  EXPECT_EQ(summary->inputs.at(0).type, "f32[n,3]");
  EXPECT_EQ(summary->node_counts, (std::map<std::string, int>{{"Add", 1}, {"Frobnicate", 1}}));
  EXPECT_EQ(summary->parameter_bytes, 12);
}

// The models that the repository ships: simplification keeps their values.
class ShippedModel : public testing::TestWithParam<const char*> {};

TEST_P(ShippedModel, SimplifiedComputesTheSame) {
  auto imported = import_model(std::filesystem::path(HADAL_SOURCE_DIR) / "models" / GetParam(), {});
  ASSERT_TRUE(imported.ok()) << imported.error().text();
  std::vector<Tensor> inputs;
  for (const graph::ValueId v : imported->graph.inputs) {
    const graph::Type& type = imported->graph.type(v);
    std::vector<float> data;
    for (int64_t i = 0; i < elements(type.shape); ++i)
      data.push_back(static_cast<float>((i * 7919) % 257) / (is_float(type.dtype) ? 257.0f : 1.0f));
    inputs.push_back(cast(floats(type.shape, data), type.dtype));
  }
  const auto before = graph::evaluate(imported->graph, inputs);
  ASSERT_TRUE(graph::simplify(imported->graph).ok());
  ASSERT_TRUE(graph::verify(imported->graph).ok());
  const auto after = graph::evaluate(imported->graph, inputs);
  ASSERT_TRUE(before.ok() && after.ok());
  for (size_t i = 0; i < before->size(); ++i) {
    double largest = 0, difference = 0;
    for (int64_t k = 0; k < (*before)[i].size(); ++k) {
      largest = std::max(largest, std::fabs(number_at((*before)[i], k)));
      difference = std::max(difference, std::fabs(number_at((*before)[i], k) - number_at((*after)[i], k)));
    }
    EXPECT_LE(difference, 1e-5 * largest);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ShippedModel,
                         testing::Values("tiny_ad_f32.onnx", "tiny_kws_f32.onnx", "tiny_resnet8_f32.onnx",
                                         "tiny_sww_f32.onnx", "tiny_vww_f32.onnx", "cct2_32_opset20.onnx",
                                         "magika_v3_3.onnx", "fastestdet.onnx", "ultraface_slim320.onnx"));

}  // namespace
}  // namespace hadal::onnx
