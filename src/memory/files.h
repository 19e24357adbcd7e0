// Where the shipped descriptions of memories are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "memory/device.h"

namespace hadal::memory {

/// Names of the shipped descriptions, in order: those of $HADAL_MEMORIES, else beside the binary, else of the source
/// tree.
std::vector<std::string> shipped_memories();

/// The file of a description of that plain name: in the folder, else the shipped one.
std::string described_as(const std::string& name, const std::filesystem::path& folder);

/// A shipped description by its name, or a file by its path (with a / or .toml). Errors: memory.*, file.*.
Result<Device> load_memory(const std::string& name_or_path);

}  // namespace hadal::memory
