// The table of importers tells what each operator becomes; made-up models show whether that is so.
#include <algorithm>
#include <set>

#include "fuzz/models.h"
#include "fuzz/stages.h"
#include "onnx/import.h"

namespace hadal::fuzz {
namespace {

using Names = std::map<std::string, std::set<std::string>>;

Names stated() {
  Names out;
  for (const onnx::OperatorInfo& op : onnx::operators()) out[op.name] = {op.becomes.begin(), op.becomes.end()};
  return out;
}

/// Operators by the names of the model's nodes.
std::map<std::string, std::string> operators_of(const ::onnx::ModelProto& model) {
  std::map<std::string, std::string> out;
  for (const auto& node : model.graph().node())
    out[node.name()] = node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
  return out;
}

TEST(FuzzOperators, NodesBecomeTheOpsThatTheTableStates) {
  Campaign campaign("operators", 8000);
  const Names table = stated();
  std::set<std::string> imported;
  campaign.run([&](Random& random) -> Status {
    campaign.kind("made up");
    const ::onnx::ModelProto model = random_model(random);
    const std::filesystem::path file = campaign.folder() / "model.onnx";
    put_file(file, model.SerializeAsString());
    onnx::ImportOptions options;
    options.memory_limit = memory_limit;
    HADAL_TRY(const onnx::Imported result, onnx::import_model(file, options));
    campaign.reached("3 imported");
    const auto operators = operators_of(model);
    for (const graph::Node& node : result.graph.nodes) {
      std::set<std::string> allowed;
      for (const std::string& origin : node.origins) {
        const auto from = operators.find(origin);
        if (from == operators.end()) {  // An output that no node makes is a copy, in its own name.
          allowed.insert("reshape");
          continue;
        }
        allowed.insert(table.at(from->second).begin(), table.at(from->second).end());
        imported.insert(from->second);
      }
      if (node.outputs[0] == result.graph.outputs[0]) allowed.insert("reshape");  // It may be a copy, too.
      EXPECT_TRUE(allowed.contains(std::string(node.op->name)))
          << operators.begin()->second << " ...: " << node.op->name << " of " << node.origins[0];
    }
    return {};
  });
  EXPECT_GT(imported.size(), table.size() / 2);
}

}  // namespace
}  // namespace hadal::fuzz
