// Sequences and optionals: what is left of them in the graph, and how they are refused where a tensor belongs.
#include "graph/helpers.h"
#include "onnx/build_model.h"

namespace hadal::onnx {
namespace {

using graph::expect_values;
using graph::floats;

class Sequences : public ModelFolder {
 protected:
  static void sequence_input(ModelFile& file, const std::string& name, bool optional = false) {
    auto& value = *file.graph().add_input();
    value.set_name(name);
    auto* type = optional ? value.mutable_type()->mutable_optional_type()->mutable_elem_type() : value.mutable_type();
    type->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(pb::TensorProto::FLOAT);
  }
  static std::vector<std::string> names(const graph::Graph& graph, const std::vector<graph::ValueId>& values) {
    std::vector<std::string> out;
    for (const graph::ValueId v : values) out.push_back(graph.value(v).name);
    return out;
  }
};

using Names = std::vector<std::string>;

TEST_F(Sequences, EnterAndLeaveAsTensorsByNumber) {
  ModelFile file;
  sequence_input(file, "list");
  file.input("x", {2}).output("longer").output("count");
  file.node("SequenceInsert", {"list", "x"}, {"longer"});
  file.node("SequenceLength", {"longer"}, {"count"});
  const auto imported = import(file, {.shapes = {{"list[0]", {1}}, {"list[1]", {3}}}});
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(names(imported->graph, imported->graph.inputs), (Names{"list[0]", "list[1]", "x"}));
  EXPECT_EQ(names(imported->graph, imported->graph.outputs), (Names{"longer[0]", "longer[1]", "longer[2]", "count"}));
  const auto values = graph::evaluate(imported->graph, {floats({1}, {7}), floats({3}, {1, 2, 3}), floats({2}, {8, 9})});
  ASSERT_TRUE(values);
  expect_values((*values)[0], {1}, {7});
  expect_values((*values)[2], {2}, {8, 9});
  EXPECT_EQ(integer_at((*values)[3], 0), 3);
}

TEST_F(Sequences, ElementsAreGivenWithoutGaps) {
  ModelFile file;
  sequence_input(file, "list");
  file.output("count");
  file.node("SequenceLength", {"list"}, {"count"});
  const auto imported = import(file, {.shapes = {{"list[0]", {1}}, {"list[2]", {1}}}});
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, "onnx.input");
  EXPECT_NE(imported.error().message.find("list[2]"), std::string::npos);
}

TEST_F(Sequences, OptionalsThatAreNotGivenHaveNoValue) {
  ModelFile file(18);
  sequence_input(file, "maybe", true);
  file.output("has");
  file.node("OptionalHasElement", {"maybe"}, {"has"});
  expect_values(outputs(file, {})[0], {}, {0});
  ModelFile user(18);
  sequence_input(user, "maybe", true);
  user.output("y");
  user.node("OptionalGetElement", {"maybe"}, {"list"});
  user.node("ConcatFromSequence", {"list"}, {"y"});
  EXPECT_EQ(refusal(user).code, "onnx.type");
}

TEST_F(Sequences, PartsOfATensorJoinAgain) {
  ModelFile file;
  file.input("x", {2, 5}).output("y").output("last");
  file.indices("two", {2}, true);
  file.indices("end", {-1}, true);
  set(file.node("SplitToSequence", {"x", "two"}, {"parts"}), "axis", 1);
  file.node("SequenceAt", {"parts", "end"}, {"last"});
  file.node("SequenceErase", {"parts", "end"}, {"rest"});
  set(file.node("ConcatFromSequence", {"rest"}, {"y"}), "axis", 1);
  const auto values = outputs(file, {floats({2, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})});
  expect_values(values[0], {2, 4}, {0, 1, 2, 3, 5, 6, 7, 8});
  expect_values(values[1], {2, 1}, {4, 9});
}

TEST_F(Sequences, AreRefusedWhereTensorsBelong) {
  const auto model = [](const char* type, const std::vector<std::string>& inputs) {
    ModelFile file;
    sequence_input(file, "list");
    file.input("x", {2}).output("y");
    file.node(type, inputs, {"y"});
    return file;
  };
  for (const auto& [type, inputs] :
       std::vector<std::pair<const char*, std::vector<std::string>>>{{"Relu", {"list"}},
                                                                     {"Add", {"x", "list"}},
                                                                     {"SequenceConstruct", {"x", "list"}},
                                                                     {"SequenceLength", {"x"}},
                                                                     {"SequenceAt", {"x", "x"}},
                                                                     {"SequenceInsert", {"list", "list"}},
                                                                     {"SequenceAt", {"list", "list"}}})
    EXPECT_EQ(refusal(model(type, inputs), {.shapes = {{"list[0]", {2}}}}).code, "onnx.type") << type;
  EXPECT_EQ(refusal(model("SequenceErase", {"list"})).code, "onnx.shape");
}

/// A loop cannot stack sequences, and a scan cannot carry them.
TEST_F(Sequences, BodiesThatGiveThemAreRefused) {
  for (const bool empty : {false, true}) {
    ModelFile file;
    file.input("x", {2, 2}).output("y");
    file.indices("steps", {empty ? 0 : 2}, true);
    auto& loop = file.node("Loop", {"steps", ""}, {"y"});
    auto& body = *attribute(loop, "body", pb::AttributeProto::GRAPH).mutable_g();
    ModelFile::describe(*body.add_input(), "i", {}, pb::TensorProto::INT64);
    ModelFile::describe(*body.add_input(), "goes_on", {}, pb::TensorProto::BOOL);
    ModelFile::node_in(body, "Identity", {"goes_on"}, {"still"});
    ModelFile::node_in(body, "SequenceConstruct", {"x"}, {"list"});
    for (const char* name : {"still", "list"}) body.add_output()->set_name(name);
    EXPECT_EQ(refusal(file).code, "onnx.type");
  }
  ModelFile file;
  file.input("x", {2, 2}).output("y");
  auto& scan = file.node("Scan", {"x"}, {"y"});
  set(scan, "num_scan_inputs", 1);
  auto& body = *attribute(scan, "body", pb::AttributeProto::GRAPH).mutable_g();
  ModelFile::describe(*body.add_input(), "row", {2}, pb::TensorProto::FLOAT);
  ModelFile::node_in(body, "SequenceConstruct", {"row"}, {"list"});
  body.add_output()->set_name("list");
  EXPECT_EQ(refusal(file).code, "onnx.type");
}

}  // namespace
}  // namespace hadal::onnx
