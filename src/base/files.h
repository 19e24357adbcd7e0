// Files, read and written whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hadal {

/// The bytes of a regular file of at most `largest` bytes. Errors: file.open, file.kind (a folder, a pipe, a device),
/// file.size, file.read.
Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, int64_t largest);

/// Writes a file whole or not at all: into a temporary beside it, which then takes its name. What exists and is no
/// regular file (a pipe, a terminal) is written straight. Errors: file.write.
Status write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
Status write_file(const std::filesystem::path& path, std::string_view text);
/// The same, and on the disk before it takes its name.
Status write_file_synced(const std::filesystem::path& path, std::string_view text);

}  // namespace hadal
