#include <unordered_map>

#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

void append(std::string& key, const void* data, size_t size) { key.append(static_cast<const char*>(data), size); }

struct AppendEntry {
  std::string& key;
  template <class T>
  void operator()(const T& value) const {
    append(key, &value, sizeof value);
  }
  void operator()(const std::string& value) const { key += value; }
  template <class T>
  void operator()(const std::vector<T>& values) const {
    append(key, values.data(), values.size() * sizeof(T));
  }
};

/// Small constants with the same bytes are read as one.
class Constants {
 public:
  ValueId shared(const Rewrite& rewrite, ValueId v) {
    const Tensor* const tensor = rewrite.small_constant(v);
    if (!tensor) return v;
    std::string key = fmt::format("{} {}:", name_of(tensor->dtype), hadal::text_of(tensor->shape));
    append(key, tensor->bytes.view.data(), tensor->bytes.view.size());
    return first_.try_emplace(std::move(key), v).first->second;
  }

 private:
  std::unordered_map<std::string, ValueId> first_;
};

std::string key_of(const Node& node, const std::vector<ValueId>& inputs) {
  std::string key(node.op->name);
  for (const ValueId v : inputs) append(key, &v, sizeof v);
  for (const auto& [name, entry] : node.attributes.all()) {
    key += fmt::format("|{}:{}:", name, entry.index());
    std::visit(AppendEntry{key}, entry);
  }
  return key;
}

}  // namespace

Result<bool> share_equal_nodes(Graph& graph) {
  Constants constants;
  std::unordered_map<std::string, ValueId> first;
  return Rewrite::sweep(graph, [&](Rewrite& rewrite, Node& node) -> Result<bool> {
    std::vector<ValueId> inputs = node.inputs;
    for (ValueId& v : inputs) v = constants.shared(rewrite, v);
    if (node.outputs.size() != 1) return false;
    const auto [equal, is_first] = first.try_emplace(key_of(node, inputs), node.outputs[0]);
    return !is_first && rewrite.give_way(node, equal->second);
  });
}

}  // namespace hadal::graph
