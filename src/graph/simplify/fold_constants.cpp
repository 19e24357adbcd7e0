#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

/// Results that grow stay nodes: a broadcast weight would cost memory for nothing.
bool worth_folding(const Graph& graph, const Node& node) {
  int64_t bytes = 0, results = 0, operands = 0;
  for (const ValueId v : node.outputs) {
    bytes += elements(graph.type(v).shape) * bytes_of(graph.type(v).dtype);
    results += elements(graph.type(v).shape);
  }
  for (const ValueId v : node.inputs)
    if (v != absent) operands += elements(graph.type(v).shape);
  return bytes <= 4096 || results <= operands;
}

Result<bool> fold(Rewrite& rewrite, Node& node) {
  Graph& graph = rewrite.graph;
  bool data = true;
  std::vector<const Tensor*> operands;
  for (const ValueId v : node.inputs) {
    if (v != absent && !graph.is_constant(v)) return false;
    operands.push_back(v == absent ? nullptr : &*graph.value(v).constant);
    data = data && (v == absent || operands.back()->size() == 0 || !operands.back()->bytes.view.empty());
  }
  for (const ValueId v : node.outputs)
    if (rewrite.is_output(v)) return false;  // An output is the result of a node.
  if (node.inputs.empty() || !node.op->reference || !worth_folding(graph, node)) return false;
  std::vector<Type> types;
  for (const ValueId v : node.outputs) types.push_back(graph.type(v));
  std::vector<Tensor> results;
  if (data)
    results = node.op->reference(operands, node.attributes, types);
  else
    for (const Type& type : types) results.push_back({type.dtype, type.shape, {}});
  rewrite.become_constants(node, std::move(results));
  return true;
}

}  // namespace

Result<bool> fold_constants(Graph& graph) { return Rewrite::sweep(graph, fold); }

}  // namespace hadal::graph
