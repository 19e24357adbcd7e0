// NumPy's archives of arrays (.npz): zip files, stored or compressed, of .npy files.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal {

/// All arrays by name, without ".npy". `largest_bytes` bounds the file, and the arrays together. Errors: file.*,
/// npz.read (no zip file, or a broken one), npz.size, those of each array (npy.*, whose place names it).
Result<std::map<std::string, Tensor>> read_npz(const std::filesystem::path& path, int64_t largest_bytes);

}  // namespace hadal
