#include "onnx/refusals.h"

namespace hadal::onnx {

std::string describe(const ModelNode& node) {
  const std::string type = node.domain.empty() ? node.type : node.domain + "." + node.type;
  return fmt::format("'{}' ({})", printable(node.name), printable(type));
}

bool is_fatal(const Error& error) {
  return error.code == "onnx.graph" || error.code == "onnx.memory" || error.code == "onnx.opset";
}

void Refusals::add(const ModelNode& node, Error error) {
  if (!known_.insert(&node).second) return;
  if (error.place.empty()) error.place = fmt::format("{}: node {}", file_, describe(node));
  list_.emplace_back(&node, std::move(error));
}

Error Refusals::error() const {
  constexpr size_t most = 200;
  if (list_.size() == 1) return list_[0].second;
  std::string text;
  for (size_t i = 0; i < std::min(most, list_.size()); ++i) {
    const auto& [node, error] = list_[i];
    std::string entry = describe(*node);
    if (error.code != "onnx.operator") entry.insert(entry.size() - 1, ": " + error.message);
    text += (text.empty() ? "" : ", ") + entry;
  }
  if (list_.size() > most) text += fmt::format(" and {} more", list_.size() - most);
  return Error{"onnx.unsupported", fmt::format("{} nodes are not supported: {}", list_.size(), text), file_,
               "see docs/ops.md for what is"};
}

}  // namespace hadal::onnx
