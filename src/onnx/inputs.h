// Types of a model's inputs: given shapes bind symbols, and what nothing binds is 1. A sequence has as many elements as
// shapes are given for, by the names "input[0]", "input[1]" and so on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/importer.h"

namespace hadal::onnx {

class InputTypes {
 public:
  struct Part {
    std::string name;
    Type type;
  };
  struct Input {
    const ModelValue* stated;
    std::vector<Part> parts;  ///< The tensor; of a sequence its elements; none of an optional that is not given.
  };

  InputTypes(const Model& model, const ImportOptions& options) : model_(model), options_(options) {}

  /// Inputs without initialisers, in the model's order. Throws Failure.
  std::vector<Input> all();
  /// Symbols that nothing bound.
  [[nodiscard]] const std::set<std::string>& unbound() const { return unbound_; }

 private:
  void check_names(const std::vector<Input>& inputs) const;
  std::vector<Part> parts_of(const ModelValue& input);
  std::vector<Part> elements_of(const ModelValue& input) const;
  Type type_of(const ModelValue& input);
  int64_t extent_of(const ModelValue& input, const std::string& symbol, std::optional<int64_t> given);

  const Model& model_;
  const ImportOptions& options_;
  std::map<std::string, int64_t> symbols_;
  std::set<std::string> unbound_;
};

}  // namespace hadal::onnx
