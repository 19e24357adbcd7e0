// What single operators become, on numbers that can be followed by hand, and which of their forms are refused.
#include "graph/helpers.h"
#include "onnx/build_model.h"

namespace hadal::onnx {
namespace {

using graph::expect_values;
using graph::floats;
using graph::integers;

class ImportedOperators : public ModelFolder {
 protected:
  static void numbers(pb::NodeProto& node, const std::string& name, const std::vector<float>& values) {
    auto& out = attribute(node, name, pb::AttributeProto::FLOATS);
    for (const float value : values) out.add_floats(value);
  }
  static void texts(pb::NodeProto& node, const std::string& name, const std::vector<std::string>& values) {
    auto& out = attribute(node, name, pb::AttributeProto::STRINGS);
    for (const std::string& value : values) out.add_strings(value);
  }
};

/// h = x + h / 2, up to each sequence's length.
TEST_F(ImportedOperators, RecurrentSequencesEndAtTheirLengths) {
  ModelFile file;
  file.input("x", {3, 2, 1}).input("lengths", {2}, pb::TensorProto::INT32).output("y").output("last");
  file.weights("w", {1, 1, 1}, {1});
  file.weights("r", {1, 1, 1}, {0.5f});
  auto& node = file.node("RNN", {"x", "w", "r", "", "lengths"}, {"y", "last"}, "rnn");
  texts(node, "activations", {"Affine"});
  numbers(node, "activation_alpha", {1});
  numbers(node, "activation_beta", {0});
  const Tensor lengths = Tensor::of(DType::i32, {2}, std::vector<int32_t>{3, 1});
  const auto values = outputs(file, {floats({3, 2, 1}, {1, 10, 2, 20, 4, 40}), lengths});
  expect_values(values[0], {3, 1, 2, 1}, {1, 10, 2.5, 0, 5.25, 0});
  expect_values(values[1], {1, 2, 1}, {5.25, 10});
}

TEST_F(ImportedOperators, RecurrentLayersRefuseWhatDoesNotFit) {
  const auto model = [&](const Shape& w, const char* activation) {
    ModelFile file;
    file.input("x", {3, 2, 1}).input("w", w).input("r", {1, 1, 1}).output("y");
    texts(file.node("RNN", {"x", "w", "r"}, {"y"}, "rnn"), "activations", {activation});
    return file;
  };
  EXPECT_EQ(refusal(model({1, 2, 1}, "Tanh")).code, "onnx.shape");
  EXPECT_EQ(refusal(model({1, 1, 1}, "Cosine")).code, "onnx.attribute");
  ModelFile endless;
  endless.input("x", {1 << 30, 1, 1}).input("w", {1, 1, 1}).input("r", {1, 1, 1}).output("y");
  endless.node("RNN", {"x", "w", "r"}, {"y"}, "rnn");
  EXPECT_EQ(refusal(endless).code, "onnx.unsupported");
}

TEST_F(ImportedOperators, GridSampleReadsBetweenElements) {
  ModelFile file(20);
  file.input("x", {1, 1, 2, 2}).input("grid", {1, 1, 3, 2}).output("y");
  set(file.node("GridSample", {"x", "grid"}, {"y"}), "align_corners", 1);
  const Tensor grid = floats({1, 1, 3, 2}, {0, 0, -1, 1, 3, 0});  // x, y: the middle, a corner, outside
  expect_values(outputs(file, {floats({1, 1, 2, 2}, {1, 2, 3, 4}), grid})[0], {1, 1, 1, 3}, {2.5, 3, 0});
}

TEST_F(ImportedOperators, LossesWeighAndIgnore) {
  ModelFile file;
  file.input("x", {2, 3}).input("t", {2}, pb::TensorProto::INT64).output("y");
  file.weights("w", {3}, {1, 2, 4});
  set(file.node("NegativeLogLikelihoodLoss", {"x", "t", "w"}, {"y"}), "ignore_index", -7);
  const Tensor x = floats({2, 3}, {-1, -2, -3, -4, -5, -6});
  expect_values(outputs(file, {x, integers({2}, {1, 2})})[0], {}, {(2 * 2 + 6 * 4) / 6.0});
  expect_values(outputs(file, {x, integers({2}, {1, -7})})[0], {}, {2});
}

/// (a - 1)(b - 2) with both zero points, and a convolution whose pads are the zero point.
TEST_F(ImportedOperators, IntegerProductsTakeZeroPointsOff) {
  ModelFile file;
  file.input("a", {1, 2}, pb::TensorProto::UINT8).input("b", {2, 1}, pb::TensorProto::INT8).output("y");
  for (const auto& [name, type, value] :
       {std::tuple{"za", pb::TensorProto::UINT8, 1}, {"zb", pb::TensorProto::INT8, 2}}) {
    auto& zero = *file.graph().add_initializer();
    zero.set_name(name);
    zero.set_data_type(type);
    zero.add_int32_data(value);
  }
  file.node("MatMulInteger", {"a", "b", "za", "zb"}, {"y"});
  const Tensor a = Tensor::of(DType::u8, {1, 2}, std::vector<uint8_t>{255, 3});
  const Tensor b = Tensor::of(DType::i8, {2, 1}, std::vector<int8_t>{-128, 5});
  expect_values(outputs(file, {a, b})[0], {1, 1}, {254 * -130 + 2 * 3});
}

/// Rows 0 and 1 by the second table, 2 and 3 by the first; then with scales of x and of the tables.
TEST_F(ImportedOperators, GroupsOfRowsHaveTablesOfTheirOwn) {
  ModelFile file;
  file.input("x", {4, 1}).input("groups", {2}, pb::TensorProto::INT32).input("sx", {4, 1}).output("y").output("z");
  file.weights("w", {2, 1, 2}, {1, 2, 10, 20});
  file.weights("sw", {2, 1, 1}, {3, 5});
  file.node("GroupedMatMul", {"x", "w", "groups"}, {"y"}).set_domain("com.hadal");
  auto& scaled = file.node("GroupedMatMul", {"x", "w", "groups", "sx", "sw"}, {"z"});
  scaled.set_domain("com.hadal");
  set(scaled, "to", pb::TensorProto::FLOAT);
  const Tensor x = floats({4, 1}, {1, 2, 3, 4}), of_x = floats({4, 1}, {1, 1, 2, 2});
  const Tensor groups = Tensor::of(DType::i32, {2}, std::vector<int32_t>{1, 0});
  const auto values = outputs(file, {x, groups, of_x});
  expect_values(values[0], {4, 2}, {10, 20, 20, 40, 3, 6, 4, 8});
  expect_values(values[1], {4, 2}, {50, 100, 100, 200, 18, 36, 24, 48});
}

TEST_F(ImportedOperators, FourierTransformsComeBack) {
  ModelFile file(20);
  file.input("x", {1, 4, 1}).output("f").output("y");
  auto& forth = file.node("DFT", {"x"}, {"f"});
  set(forth, "onesided", 1);
  auto& back = file.node("DFT", {"f"}, {"y"});
  set(back, "onesided", 1);
  set(back, "inverse", 1);
  const auto values = outputs(file, {floats({1, 4, 1}, {1, 2, 4, 8})});
  expect_values(values[0], {1, 3, 2}, {15, 0, -3, 6, -5, 0});
  expect_values(values[1], {1, 4, 1}, {1, 2, 4, 8});
}

TEST_F(ImportedOperators, LoopsOfKnownLengthAreUnrolled) {
  ModelFile file;
  file.input("n", {}, pb::TensorProto::INT64).input("x", {1}).output("last").output("all");
  auto& node = file.node("Loop", {"n", "", "x"}, {"last", "all"}, "loop");
  auto& body = *attribute(node, "body", pb::AttributeProto::GRAPH).mutable_g();
  for (const char* name : {"i", "go", "before"})
    ModelFile::describe(*body.add_input(), name, {}, pb::TensorProto::FLOAT);
  ModelFile::node_in(body, "Add", {"before", "x"}, {"after"}, "step");  // x is that of the model.
  ModelFile::node_in(body, "Identity", {"go"}, {"on"}, "on");
  for (const char* name : {"on", "after", "after"})
    ModelFile::describe(*body.add_output(), name, {}, pb::TensorProto::FLOAT);
  const auto steps = [&](int64_t n) { return ImportOptions{.values = {{"n", integers({}, {n})}}}; };
  const auto values = outputs(file, {floats({1}, {2})}, steps(3));
  expect_values(values[0], {1}, {8});
  expect_values(values[1], {3, 1}, {4, 6, 8});
  EXPECT_EQ(outputs(file, {floats({1}, {2})}, steps(0))[1].shape, (Shape{0, 1}));
  EXPECT_EQ(refusal(file).code, "onnx.dynamic");
  EXPECT_EQ(refusal(file, steps(int64_t{1} << 40)).code, "onnx.unsupported");
}

TEST_F(ImportedOperators, ReducingNothingGivesTheIdentity) {
  ModelFile file;
  file.input("x", {2, 0}).output("sum").output("least");
  set(file.node("ReduceMax", {"x"}, {"least"}), "axes", std::vector<int64_t>{1});
  file.node("ReduceSum", {"x"}, {"sum"});
  const auto values = outputs(file, {floats({2, 0}, {})});
  expect_values(values[0], {1, 1}, {0});
  expect_values(values[1], {2, 1}, {-INFINITY, -INFINITY});
}

/// 4-bit numbers stand two in a byte, the first lowest; a cast keeps the low bits.
TEST_F(ImportedOperators, FourBitNumbersArePackedAndWrap) {
  ModelFile file(25);
  file.input("x", {3}).output("y").output("cast");
  auto& packed = *file.graph().add_initializer();
  packed.set_name("w");
  packed.set_data_type(pb::TensorProto::INT4);
  packed.add_dims(3);
  packed.set_raw_data(std::string("\x8f\x07", 2));
  set(file.node("Cast", {"w"}, {"y"}), "to", int64_t{pb::TensorProto::FLOAT});
  set(file.node("Cast", {"x"}, {"cast"}), "to", int64_t{pb::TensorProto::INT4});
  const auto values = outputs(file, {floats({3}, {9.7f, -9, 7})});
  expect_values(values[0], {3}, {-1, -8, 7});
  expect_values(values[1], {3}, {-7, 7, 7});
  packed.set_raw_data(std::string("\x8f", 1));
  EXPECT_EQ(refusal(file).code, "onnx.parse");
}

TEST_F(ImportedOperators, TreesThatGoRoundAreRefused) {
  const auto model = [&](int64_t next) {
    ModelFile file;
    auto& import = *file.model.add_opset_import();
    import.set_domain("ai.onnx.ml");
    import.set_version(5);
    file.input("x", {2, 1}).output("y");
    auto& node = file.node("TreeEnsemble", {"x"}, {"y"}, "trees");
    node.set_domain("ai.onnx.ml");
    set(node, "n_targets", 1);
    for (const char* list : {"nodes_featureids", "tree_roots", "nodes_falsenodeids"})
      set(node, list, std::vector<int64_t>{0});
    set(node, "nodes_truenodeids", std::vector<int64_t>{next});
    set(node, "nodes_falseleafs", std::vector<int64_t>{1});
    set(node, "nodes_trueleafs", std::vector<int64_t>{next});
    set(node, "leaf_targetids", std::vector<int64_t>{0, 0});
    for (const auto& [name, values] :
         {std::pair<const char*, std::vector<float>>{"nodes_splits", {1.5f}}, {"leaf_weights", {10, 20}}}) {
      auto& tensor = *attribute(node, name, pb::AttributeProto::TENSOR).mutable_t();
      tensor.set_data_type(pb::TensorProto::FLOAT);
      tensor.add_dims(static_cast<int64_t>(values.size()));
      for (const float value : values) tensor.add_float_data(value);
    }
    auto& modes = *attribute(node, "nodes_modes", pb::AttributeProto::TENSOR).mutable_t();
    modes.set_data_type(pb::TensorProto::UINT8);
    modes.add_dims(1);
    modes.add_int32_data(0);
    return file;
  };
  expect_values(outputs(model(1), {floats({2, 1}, {1, 2})})[0], {2, 1}, {20, 10});
  EXPECT_EQ(refusal(model(0)).code, "onnx.attribute");
}

/// The seed gives NumPy's numbers: of 0, 0.5488, 0.7152, 0.6028, 0.5449.
TEST_F(ImportedOperators, RandomNumbersFollowTheSeed) {
  ModelFile file;
  file.input("x", {4}).output("y").output("kept");
  file.weights("ratio", {}, {0.6f});
  auto& on = *file.graph().add_initializer();
  on.set_name("on");
  on.set_data_type(pb::TensorProto::BOOL);
  on.add_int32_data(1);
  set(file.node("Dropout", {"x", "ratio", "on"}, {"y", "kept"}), "seed", 0);
  const auto values = outputs(file, {floats({4}, {1, 2, 4, 8})});
  expect_values(values[0], {4}, {0, 5, 10, 0});
  expect_values(values[1], {4}, {0, 1, 1, 0});
}

TEST_F(ImportedOperators, UniqueNeedsConstants) {
  ModelFile file;
  file.weights("x", {5}, {3, 1, 3, -0.0f, 0});
  file.output("y").output("first").output("group").output("members");
  set(file.node("Unique", {"x"}, {"y", "first", "group", "members"}), "sorted", 0);
  const auto values = outputs(file, {});
  expect_values(values[0], {3}, {3, 1, 0});
  expect_values(values[1], {3}, {0, 1, 3});
  expect_values(values[2], {5}, {0, 1, 0, 2, 2});
  expect_values(values[3], {3}, {2, 1, 2});
  ModelFile late;
  late.input("x", {5}).output("y");
  late.node("Unique", {"x"}, {"y"});
  EXPECT_EQ(refusal(late).code, "onnx.dynamic");
}

/// Of x * w * x by x, at x.
TEST_F(ImportedOperators, GradientsAreOfTheSum) {
  ModelFile file;
  auto* import = file.model.add_opset_import();
  import->set_domain("ai.onnx.preview.training");
  import->set_version(1);
  file.input("x", {2}).input("w", {2}).output("z").output("dx");
  file.node("Mul", {"x", "w"}, {"y"});
  file.node("Mul", {"y", "x"}, {"z"});
  const auto add_gradient = [](ModelFile& to, const std::string& at) {
    auto& node = to.node("Gradient", {at}, {"dx"});
    node.set_domain("ai.onnx.preview.training");
    texts(node, "xs", {"x"});
    set(node, "y", std::string("z"));
  };
  ModelFile elsewhere = file;
  add_gradient(file, "x");
  expect_values(outputs(file, {floats({2}, {1, 2}), floats({2}, {3, 4})})[1], {2}, {6, 16});
  add_gradient(elsewhere, "w");
  EXPECT_EQ(refusal(elsewhere).code, "onnx.unsupported");
}

/// Over no axes only the summing falls away.
TEST_F(ImportedOperators, ReductionsOverNoAxesKeepTheirFunctions) {
  for (const auto& [type, values] :
       std::vector<std::pair<std::string, std::vector<double>>>{{"ReduceL1", {2, 3}},
                                                                {"ReduceL2", {2, 3}},
                                                                {"ReduceSumSquare", {4, 9}},
                                                                {"ReduceLogSumExp", {-2, 3}},
                                                                {"ReduceMean", {-2, 3}}}) {
    ModelFile file(18);
    file.input("x", {2}).output("y");
    set(file.node(type, {"x"}, {"y"}), "noop_with_empty_axes", 1);
    expect_values(outputs(file, {floats({2}, {-2, 3})})[0], {2}, values);
  }
}

TEST_F(ImportedOperators, OldBroadcastsNameAnAxis) {
  ModelFile file(6);
  file.input("x", {2, 3}).input("b", {2}).output("y");
  auto& node = file.node("Add", {"x", "b"}, {"y"});
  set(node, "broadcast", 1);
  set(node, "axis", 0);
  expect_values(outputs(file, {floats({2, 3}, {0, 1, 2, 3, 4, 5}), floats({2}, {10, 20})})[0], {2, 3},
                {10, 11, 12, 23, 24, 25});
}

}  // namespace
}  // namespace hadal::onnx
