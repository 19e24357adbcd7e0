#include "graph/simplify/rewrite.h"

#include "graph/simplify.h"

namespace hadal::graph {

namespace {

size_t at(ValueId v) { return static_cast<size_t>(v); }

}  // namespace

void append_origins(std::vector<std::string>& to, std::vector<std::string> from) {
  if (to.empty() || from.empty()) {
    if (to.empty()) to = std::move(from);
    return;
  }
  // The shorter list is the one that moves: along a chain of n nodes that join, that is n moves in all.
  const bool grown = to.size() < from.size();
  if (grown) std::swap(to, from);
  const size_t kept = to.size();
  for (std::string& origin : from)
    if (origin != to.front() && origin != to.back()) to.push_back(std::move(origin));
  if (grown && to.size() > kept) std::swap(to.front(), to[kept]);  // What was first stays first.
}

Rewrite::Rewrite(Graph& target)
    : graph(target),
      old_(std::move(target.nodes)),
      readers_(target.values.size()),
      outputs_(target.values.size()),
      stands_for_(target.values.size()) {
  graph.nodes.clear();
  graph.nodes.reserve(old_.size());
  for (size_t i = 0; i < stands_for_.size(); ++i) stands_for_[i] = static_cast<ValueId>(i);
  for (const Node& node : old_)
    for (const ValueId v : node.inputs) use(v);
  for (const ValueId v : graph.outputs) {
    use(v);
    outputs_[at(v)] = true;
  }
}

void Rewrite::use(ValueId v, int64_t count) {
  if (v == absent) return;
  if (at(v) >= readers_.size()) readers_.resize(graph.values.size());
  readers_[at(v)] += count;
}

const Node* Rewrite::maker(ValueId v) const {
  if (v == absent) return nullptr;
  const int32_t producer = graph.value(v).producer;
  return producer < 0 ? nullptr : &graph.nodes[static_cast<size_t>(producer)];
}

const Node* Rewrite::maker(ValueId v, const Op& op) const {
  const Node* const node = maker(v);
  return node && node->op == &op ? node : nullptr;
}

const Tensor* Rewrite::small_constant(ValueId v) const {
  if (!graph.is_constant(v)) return nullptr;
  const Tensor& tensor = *graph.value(v).constant;
  return tensor.bytes.view.empty() || tensor.bytes.view.size() > 4096 ? nullptr : &tensor;
}

std::optional<double> Rewrite::uniform(ValueId v) const {
  const Tensor* const tensor = small_constant(v);
  if (!tensor) return std::nullopt;
  const double first = number_at(*tensor, 0);
  for (int64_t i = 1; i < tensor->size(); ++i)
    if (number_at(*tensor, i) != first) return std::nullopt;
  return first;
}

/// Takes one reader from each value; what nothing reads any more leaves its origins and releases its operands.
void Rewrite::release(std::vector<ValueId> values, std::vector<std::string>& heir) {
  while (!values.empty()) {
    const ValueId v = values.back();
    values.pop_back();
    if (v == absent || --readers_[at(v)] > 0) continue;
    const int32_t producer = graph.value(v).producer;
    if (producer < 0) continue;
    Node& dead = graph.nodes[static_cast<size_t>(producer)];
    bool read = dead.outputs.empty();
    for (const ValueId result : dead.outputs) read = read || readers_[at(result)] > 0;
    if (read || dead.origins.empty()) continue;
    append_origins(heir, std::move(dead.origins));
    dead.origins.clear();
    values.insert(values.end(), dead.inputs.begin(), dead.inputs.end());
  }
}

void Rewrite::edit(Node& node, const Op& op, std::vector<ValueId> inputs, Attributes attributes) {
  for (const ValueId v : inputs) use(v);
  std::vector<ValueId> before = std::move(node.inputs);
  node.op = &op;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  release(std::move(before), node.origins);
  changed_ = true;
}

bool Rewrite::give_way(Node& node, ValueId v) {
  const ValueId result = node.outputs[0];
  if (is_output(result)) {
    if (is_output(v) || graph.value(v).producer < 0) return false;
    outputs_[at(v)] = true;
    std::swap(graph.value(v).name, graph.value(result).name);
  }
  stands_for_[at(result)] = v;
  use(v, readers(result));
  readers_[at(result)] = 0;
  std::vector<std::string> origins = std::move(node.origins);
  release(node.inputs, origins);
  const int32_t producer = graph.value(v).producer;
  append_origins(producer < 0 ? waiting_[v] : graph.nodes[static_cast<size_t>(producer)].origins, std::move(origins));
  changed_ = true;
  return true;
}

void Rewrite::become_constants(Node& node, std::vector<Tensor> tensors) {
  std::vector<std::string> origins = std::move(node.origins);
  release(node.inputs, origins);
  for (size_t i = 0; i < tensors.size(); ++i) {
    Value& value = graph.value(node.outputs[i]);
    value.constant = std::move(tensors[i]);
    value.producer = -1;
  }
  append_origins(waiting_[node.outputs[0]], std::move(origins));
  changed_ = true;
}

Result<ValueId> Rewrite::add(const Op& op, const std::vector<ValueId>& inputs, Attributes attributes,
                             const Node& origin) {
  HADAL_TRY(const std::vector<ValueId> made, graph.add(op, inputs, std::move(attributes), {origin.origins.front()}));
  for (const ValueId v : inputs) use(v);
  readers_.resize(graph.values.size());
  outputs_.resize(graph.values.size());
  while (stands_for_.size() < graph.values.size()) stands_for_.push_back(static_cast<ValueId>(stands_for_.size()));
  return made[0];
}

ValueId Rewrite::add_constant(Tensor tensor, const Node& origin) {
  const ValueId v =
      graph.add_constant(fmt::format("{}#{}", origin.origins.front(), graph.values.size()), std::move(tensor));
  readers_.resize(graph.values.size());
  outputs_.resize(graph.values.size());
  stands_for_.push_back(v);
  return v;
}

ValueId Rewrite::resolved(ValueId v) const {
  while (v != absent && stands_for_[at(v)] != v) v = stands_for_[at(v)];
  return v;
}

void Rewrite::emit(Node node) {
  for (const ValueId v : node.outputs) graph.value(v).producer = static_cast<int32_t>(graph.nodes.size());
  for (const ValueId v : node.inputs) {
    const auto waiting = waiting_.find(v);
    if (waiting == waiting_.end()) continue;
    append_origins(node.origins, std::move(waiting->second));
    waiting_.erase(waiting);
  }
  graph.nodes.push_back(std::move(node));
}

Result<bool> Rewrite::sweep(Graph& graph, const Rule& rule) {
  Rewrite rewrite(graph);
  for (Node& node : rewrite.old_) {
    for (ValueId& v : node.inputs) v = rewrite.resolved(v);
    HADAL_TRY(const bool removed, rule(rewrite, node));
    if (!removed) rewrite.emit(std::move(node));
  }
  for (ValueId& v : graph.outputs) v = rewrite.resolved(v);
  if (rewrite.changed_) compact(graph);
  return rewrite.changed_;
}

}  // namespace hadal::graph
