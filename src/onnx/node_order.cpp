#include "onnx/node_order.h"

#include <functional>
#include <queue>
#include <string_view>
#include <unordered_map>

namespace hadal::onnx {

namespace {

using Visit = std::function<void(std::string_view name)>;

/// Names that a node reads, those of the graphs in its attributes among them.
void each_read(const ModelNode& node, const Visit& visit) {
  for (const std::string& name : node.inputs) visit(name);
  for (const auto& [key, attribute] : node.attributes) {
    if (!attribute.graph) continue;
    for (const ModelNode& inner : attribute.graph->nodes) each_read(inner, visit);
    for (const ModelValue& output : attribute.graph->outputs) visit(output.name);
  }
}

}  // namespace

void put_in_order(std::vector<ModelNode>& nodes) {
  std::unordered_map<std::string_view, size_t> maker;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const std::string& name : nodes[i].outputs)
      if (!name.empty()) maker.emplace(name, i);
  // `maker` names strings of the nodes, which are moved only when it is no longer needed.
  bool in_order = true;
  std::vector<size_t> waits(nodes.size(), 0);
  std::vector<std::vector<size_t>> readers(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    each_read(nodes[i], [&](std::string_view name) {
      const auto made = maker.find(name);
      if (made == maker.end() || made->second == i) return;
      in_order &= made->second < i;
      readers[made->second].push_back(i);
      ++waits[i];
    });
  if (in_order) return;
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waits[i] == 0) ready.push(i);
  std::vector<ModelNode> sorted;
  std::vector<bool> taken(nodes.size(), false);
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    taken[i] = true;
    sorted.push_back(std::move(nodes[i]));
    for (const size_t reader : readers[i])
      if (--waits[reader] == 0) ready.push(reader);
  }
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!taken[i]) sorted.push_back(std::move(nodes[i]));
  nodes = std::move(sorted);
}

}  // namespace hadal::onnx
