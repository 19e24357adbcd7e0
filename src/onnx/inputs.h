// Types of a model's inputs: given shapes bind symbols, and what nothing binds is 1.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/importer.h"

namespace hadal::onnx {

class InputTypes {
 public:
  struct Input {
    const ModelValue* stated;
    Type type;
  };

  InputTypes(const Model& model, const ImportOptions& options) : model_(model), options_(options) {}

  /// Inputs without initialisers, in the model's order. Throws Failure.
  std::vector<Input> all();
  /// Symbols that nothing bound.
  [[nodiscard]] const std::set<std::string>& unbound() const { return unbound_; }

 private:
  void check_names(const std::vector<const ModelValue*>& inputs) const;
  Type type_of(const ModelValue& input);
  int64_t extent_of(const ModelValue& input, const std::string& symbol, std::optional<int64_t> given);

  const Model& model_;
  const ImportOptions& options_;
  std::map<std::string, int64_t> symbols_;
  std::set<std::string> unbound_;
};

}  // namespace hadal::onnx
