// Nodes that cannot be imported: one error tells of all.
#pragma once

#include <unordered_set>

#include "onnx/importer.h"

namespace hadal::onnx {

/// "'name' (Type)".
std::string describe(const ModelNode& node);

/// What no other node can go on without.
bool is_fatal(const Error& error);

class Refusals {
 public:
  explicit Refusals(std::string file) : file_(std::move(file)) {}
  void add(const ModelNode& node, Error error);
  [[nodiscard]] bool empty() const { return list_.empty(); }
  /// A single one as it is; several in one, each with its reason.
  [[nodiscard]] Error error() const;

 private:
  std::string file_;
  std::vector<std::pair<const ModelNode*, Error>> list_;
  std::unordered_set<const ModelNode*> known_;  ///< A function's node is told once.
};

}  // namespace hadal::onnx
