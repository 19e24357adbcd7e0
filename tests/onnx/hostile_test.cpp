// Models that must be refused: one clear error each, with the file and the node.
#include <sys/stat.h>
#include <unistd.h>

#include "graph/helpers.h"
#include "graph/simplify.h"
#include "onnx/build_model.h"

namespace hadal::onnx {
namespace {

class Hostile : public ModelFolder {
 protected:
  void expect_refused(const ModelFile& file, const std::string& code, const std::string& part = "") {
    const Error error = refusal(file);
    EXPECT_EQ(error.code, code) << error.text();
    EXPECT_EQ(error.place.substr(0, 6), "m.onnx") << error.text();
    EXPECT_NE(error.text().find(part), std::string::npos) << error.text();
  }
  /// A model whose weight lies in an external file.
  ModelFile external(const std::string& location, const std::string& offset = "", const std::string& length = "") {
    ModelFile file;
    file.input("x", {4}).output("y").node("Add", {"x", "w"}, {"y"});
    auto& tensor = file.weights("w", {4}, {});
    tensor.set_data_location(pb::TensorProto::EXTERNAL);
    for (const auto& [key, value] :
         {std::pair<std::string, std::string>{"location", location}, {"offset", offset}, {"length", length}}) {
      if (value.empty() && key != "location") continue;
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    return file;
  }
  std::filesystem::path beside(const std::string& name) const { return folder / "model" / name; }
};

TEST_F(Hostile, FilesThatAreNoModel) {
  for (const std::string& content :
       {std::string(), std::string(64, '\0'), std::string("not a model"), std::string(4096, '\xff')}) {
    std::ofstream(beside("m.onnx"), std::ios::binary) << content;
    const auto imported = import_model(beside("m.onnx"), {});
    ASSERT_FALSE(imported.ok());
    EXPECT_EQ(imported.error().code, "onnx.parse");
  }
  EXPECT_EQ(import_model(beside("none.onnx"), {}).error().code, "onnx.file");
  EXPECT_EQ(import_model(folder, {}).error().code, "onnx.file");
  ASSERT_EQ(::mkfifo(beside("fifo.onnx").c_str(), 0600), 0);
  EXPECT_EQ(import_model(beside("fifo.onnx"), {}).error().code, "onnx.file");
}

TEST_F(Hostile, AllUnsupportedNodesAreListed) {
  ModelFile file;
  file.input("x", {1}).output("y");
  file.node("Frobnicate", {"x"}, {"a"}, "first");
  file.node("Relu", {"a"}, {"b"}, "fine");
  file.node("Blur", {"b"}, {"c"}, "second");
  file.node("Gadget", {"c"}, {"y"}, "third").set_domain("com.example");
  const Error error = refusal(file);
  EXPECT_EQ(error.code, "onnx.unsupported");
  EXPECT_EQ(error.message,
            "3 nodes are not supported: 'first' (Frobnicate), 'second' (Blur), 'third' (com.example.Gadget)");
}

TEST_F(Hostile, OpsetsOutsideTheRange) {
  for (const int opset : {0, -7, 99}) {
    ModelFile file(opset);
    file.input("x", {1}).output("y").node("Relu", {"x"}, {"y"}, "r");
    expect_refused(file, "onnx.opset", fmt::format("opset {}", opset));
  }
}

TEST_F(Hostile, MissingValuesCyclesAndDuplicates) {
  ModelFile missing;
  missing.input("x", {1}).output("y").node("Relu", {"nowhere"}, {"y"}, "r");
  expect_refused(missing, "onnx.graph", "'nowhere'");
  ModelFile cycle;
  cycle.input("x", {1}).output("a");
  cycle.node("Relu", {"b"}, {"a"}, "r");
  cycle.node("Relu", {"a"}, {"b"}, "s");
  expect_refused(cycle, "onnx.graph", "a cycle");
  ModelFile twice;
  twice.input("x", {1}).output("y");
  twice.node("Relu", {"x"}, {"y"}, "r");
  twice.node("Neg", {"x"}, {"y"}, "s");
  expect_refused(twice, "onnx.graph", "node 's' (Neg)");
  ModelFile unmade;
  unmade.input("x", {1}).output("z").node("Relu", {"x"}, {"y"}, "r");
  expect_refused(unmade, "onnx.graph", "'z'");
  ModelFile inputs;
  inputs.input("x", {1}).input("x", {1}).output("y").node("Relu", {"x"}, {"y"}, "r");
  expect_refused(inputs, "onnx.graph", "'x'");
}

TEST_F(Hostile, AttributesOfTheWrongKindOrName) {
  ModelFile file;
  file.input("x", {2, 2}).output("y");
  set(file.node("Softmax", {"x"}, {"y"}, "s"), "axis", std::string("one"));
  expect_refused(file, "onnx.attribute", "'axis' is a string");
  file.graph().clear_node();
  set(file.node("Softmax", {"x"}, {"y"}, "s"), "colour", 1);
  expect_refused(file, "onnx.attribute", "'colour' is not known");
  file.graph().clear_node();
  set(file.node("Softmax", {"x"}, {"y"}, "s"), "axis", 2);
  expect_refused(file, "onnx.attribute", "axis 2 is outside rank 2");
}

TEST_F(Hostile, NamesAreEscaped) {
  ModelFile file;
  file.input("x", {1}).output("y").node("Relu", {std::string("a\0b", 3)}, {"y"}, "\x1b[31mred");
  const std::string text = refusal(file).text();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\0'), std::string::npos);
  EXPECT_NE(text.find("\\x1b[31mred"), std::string::npos) << text;
}

TEST_F(Hostile, NamesLikeDerivedOnesStayUnique) {
  ModelFile file;
  file.input("r#1", {1, 2}).input("r#3", {1, 2}).output("r#2");
  file.node("HardSwish", {"r#1"}, {"r#4"}, "r");
  auto& node = file.node("LRN", {"r#4"}, {"r#2"}, "r");  // two nodes of one name, and many derived values
  set(node, "size", 3);
  const auto imported = import(file);
  ASSERT_TRUE(imported.ok()) << imported.error().text();
  graph::Graph simple = imported->graph;
  ASSERT_TRUE(graph::simplify(simple).ok());
  EXPECT_TRUE(graph::verify(simple).ok());
  EXPECT_EQ(simple.value(simple.outputs[0]).name, "r#2");
}

TEST_F(Hostile, GiantDimensionsAreRefusedBeforeAllocation) {
  for (const Shape& shape :
       {Shape{int64_t{1} << 40, int64_t{1} << 40}, Shape{int64_t{1} << 62, 4}, Shape{1000000000, 1000000}}) {
    ModelFile file;
    file.input("x", shape).output("y").node("Relu", {"x"}, {"y"});
    expect_refused(file, "onnx.memory");
  }
  ModelFile fill;
  fill.output("y").indices("s", {1000000, 1000000, 10});
  fill.node("ConstantOfShape", {"s"}, {"y"}, "fill");
  expect_refused(fill, "onnx.memory", "node 'fill'");
  ModelFile expand;
  expand.input("x", {1}).output("y").indices("s", {1000000, 1000000, 10});
  expand.node("Expand", {"x", "s"}, {"y"}, "grow");
  expect_refused(expand, "onnx.memory");
  ModelFile tile;
  tile.input("x", {4}).output("y").indices("s", {int64_t{1} << 62});
  tile.node("Tile", {"x", "s"}, {"y"}, "grow");
  EXPECT_FALSE(import(tile).ok());
}

TEST_F(Hostile, ManyConstantsPassTheLimitTogether) {
  ModelFile file;
  file.output("y").indices("s", {256, 1024});
  for (int i = 0; i < 20; ++i) file.node("ConstantOfShape", {"s"}, {fmt::format("c{}", i)});
  file.node("Relu", {"c0"}, {"y"});
  EXPECT_TRUE(import(file).ok());
  EXPECT_EQ(refusal(file, {.memory_limit = 10 << 20}).code, "onnx.memory");
}

TEST_F(Hostile, TensorsWhoseDataDoNotFit) {
  const auto with = [](const auto& change) {
    ModelFile file;
    file.input("x", {4}).output("y").node("Add", {"x", "w"}, {"y"});
    change(file.weights("w", {4}, {1, 2, 3, 4}));
    return file;
  };
  expect_refused(with([](pb::TensorProto& t) { t.add_float_data(5); }), "onnx.parse", "'w'");
  expect_refused(with([](pb::TensorProto& t) { t.set_raw_data("1234567"); }), "onnx.parse", "'w'");
  expect_refused(with([](pb::TensorProto& t) { t.set_dims(0, -4); }), "onnx.shape", "'w'");
  expect_refused(with([](pb::TensorProto& t) { t.set_dims(0, int64_t{1} << 62); }), "onnx.shape", "'w'");
  expect_refused(with([](pb::TensorProto& t) { t.set_data_type(pb::TensorProto::INT4); }), "onnx.parse", "'w'");
  expect_refused(with([](pb::TensorProto& t) { t.set_data_type(pb::TensorProto::COMPLEX64); }), "onnx.dtype",
                 "COMPLEX64");
  expect_refused(with([](pb::TensorProto& t) { t.set_data_type(99); }), "onnx.dtype", "'w'");
}

TEST_F(Hostile, ExternalDataStayInTheFolder) {
  const std::string sixteen(16, '\0');
  std::ofstream(folder / "secret.bin", std::ios::binary) << sixteen;
  std::ofstream(beside("w.bin"), std::ios::binary) << sixteen;
  std::filesystem::create_directories(beside("sub"));
  std::filesystem::create_symlink("../secret.bin", beside("link.bin"));
  std::filesystem::create_symlink("..", beside("up"));
  std::filesystem::create_symlink("w.bin", beside("inside.bin"));
  EXPECT_TRUE(import(external("w.bin")).ok());
  EXPECT_TRUE(import(external("inside.bin")).ok());
  for (const std::string& location :
       {std::string("../secret.bin"), std::string("/etc/passwd"), std::string("sub/../../secret.bin"),
        std::string("link.bin"), std::string("up/secret.bin"), std::string(), std::string("."), std::string("sub"),
        std::string("missing.bin"), std::string("w.bin\0.txt", 10)})
    expect_refused(external(location), "onnx.external", "'w'");
}

TEST_F(Hostile, ExternalDataBeyondTheEndOrNoFile) {
  std::ofstream(beside("w.bin"), std::ios::binary) << std::string(12, '\0');
  for (const auto& [offset, length] : {std::pair<std::string, std::string>{"", ""},
                                       {"0", "16"},
                                       {"8", ""},
                                       {"4611686018427387904", "16"},
                                       {"-4", "16"},
                                       {"x", "16"},
                                       {"0", "1e9"},
                                       {"18446744073709551608", "16"}})
    expect_refused(external("w.bin", offset, length), "onnx.external");
  ASSERT_EQ(::mkfifo(beside("fifo").c_str(), 0600), 0);
  expect_refused(external("fifo"), "onnx.external", "not a regular file");
}

TEST_F(Hostile, LongChainsNeedNoRecursion) {
  for (const bool constant : {false, true}) {
    ModelFile file;
    file.input("x", {4}).output("y").weights("v0", {4}, {1, 2, 3, 4});
    constexpr int length = 50000;
    for (int i = 0; i < length; ++i)
      file.node("Neg", {i == 0 && !constant ? "x" : fmt::format("v{}", i)}, {fmt::format("v{}", i + 1)});
    file.node("Add", {"x", fmt::format("v{}", length)}, {"y"});
    if (!constant) file.graph().clear_initializer();
    auto imported = import(file);
    ASSERT_TRUE(imported.ok()) << imported.error().text();
    ASSERT_TRUE(graph::simplify(imported->graph).ok());
    EXPECT_EQ(imported->graph.nodes.size(), constant ? 1u : length + 1u);
  }
}

TEST_F(Hostile, FunctionsThatMultiplyOrCallThemselves) {
  ModelFile file;
  file.input("x", {1}).output("y").node("F0", {"x"}, {"y"}, "call").set_domain("f");
  auto* import_f = file.model.add_opset_import();
  import_f->set_domain("f");
  import_f->set_version(1);
  const auto function = [&](int i, int callee) {
    auto& f = *file.model.add_functions();
    f.set_name(fmt::format("F{}", i));
    f.set_domain("f");
    f.add_input("a");
    f.add_output("b2");
    for (int k = 0; k < 3; ++k) {
      auto& node = *f.add_node();
      node.set_op_type(fmt::format("F{}", callee));
      node.set_domain("f");
      node.add_input(k == 0 ? "a" : fmt::format("b{}", k - 1));
      node.add_output(fmt::format("b{}", k));
    }
  };
  function(0, 0);
  expect_refused(file, "onnx.graph");
}

}  // namespace
}  // namespace hadal::onnx
