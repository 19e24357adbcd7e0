// A model file with other weights.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::onnx {

/// Writes the model in `model` to `output`, whole or not at all, with these values of its initialisers; all weights are
/// inside the file. Errors: onnx.file, onnx.parse, onnx.external, onnx.size (more than 2 GiB), file.write.
Status write_model(const std::filesystem::path& model, const std::map<std::string, Tensor>& values,
                   const std::filesystem::path& output);

}  // namespace hadal::onnx
