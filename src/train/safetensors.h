// Safetensors: tensors by name behind a header in JSON (github.com/huggingface/safetensors, format 0.4).
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::train {

/// The bytes of a file. Types that the format lacks do not come as weights.
std::string safetensors_of(const std::map<std::string, Tensor>& tensors);
/// Errors: safetensors.header, safetensors.tensor (its type, or bytes that are not its own or not there).
Result<std::map<std::string, Tensor>> parse_safetensors(std::span<const std::byte> file, const std::string& place);

}  // namespace hadal::train
