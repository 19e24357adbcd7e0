// Files read by mapping them: the model itself and its external data.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/tensor.h"

namespace hadal::onnx {

/// The bytes of a regular file, mapped read-only; the owner unmaps it. Never blocks (a FIFO is refused). Error:
/// onnx.file.
Result<Bytes> map_file(const std::filesystem::path& path);

/// The folder of a model: its external files, each mapped once.
class ExternalData {
 public:
  ExternalData(std::filesystem::path folder, bool allow_absent)
      : folder_(std::move(folder)), allow_absent_(allow_absent) {}

  /// `length` bytes at `offset` of `location`, a path relative to the folder that must not leave it (absolute, "..",
  /// a symbolic link). No view if the file does not exist and that is allowed. Error: onnx.external.
  Result<Bytes> bytes(const std::string& location, int64_t offset, int64_t length);

 private:
  std::filesystem::path folder_;
  bool allow_absent_;
  std::map<std::string, Bytes> files_;
};

}  // namespace hadal::onnx
