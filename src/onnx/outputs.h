// What leaves the model.
#pragma once

#include <string>
#include <vector>

#include "onnx/importer.h"

namespace hadal::onnx {

struct NamedOutput {
  std::string name;
  ValueId value;
};

/// Makes the graph's outputs: each a value of its own, made by a node, of its own name. Throws Failure: onnx.graph.
void set_outputs(Builder& b, const std::vector<NamedOutput>& outputs);

}  // namespace hadal::onnx
