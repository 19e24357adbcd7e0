// Files that are mapped whole, or written whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"
#include "base/tensor.h"
#include "base/unfinished.h"

namespace hadal::isa {

/// Maps a regular file for reading. Errors: program.read (absent, a folder, a device, not permitted).
Result<Bytes> map_file(const std::filesystem::path& path);

/// Writes beside `path` under a temporary name; `commit` puts the whole file in its place. Destroyed without it,
/// nothing is left. Errors: program.write (a full disk, not permitted, `path` is no regular file).
class OutputFile {
 public:
  static Result<OutputFile> open(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view bytes) { return write(std::as_bytes(std::span(bytes))); }
  Status commit();

 private:
  OutputFile(int file, std::filesystem::path path, std::filesystem::path temporary);
  [[nodiscard]] Error failure(const char* verb) const;

  int file_ = -1;
  std::filesystem::path path_, temporary_;
  Unfinished unfinished_;
};

}  // namespace hadal::isa
