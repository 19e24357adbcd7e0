#include "onnx/external.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hadal::onnx {

namespace fs = std::filesystem;

namespace {

Error file_error(const fs::path& path, std::string message) {
  return Error{"onnx.file", std::move(message), printable(path.string())};
}

/// The path itself must not be a link when `follow` is false.
Result<Bytes> map_path(const fs::path& path, bool follow) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
  if (fd < 0) return file_error(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status{};
  const bool known = ::fstat(fd, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return file_error(path, known && S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file");
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) {
    ::close(fd);
    return Bytes{};
  }
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (data == MAP_FAILED) return file_error(path, fmt::format("cannot be mapped: {}", std::strerror(errno)));
  std::shared_ptr<const void> owner(data, [size](const void* at) { ::munmap(const_cast<void*>(at), size); });
  return Bytes{owner, {static_cast<const std::byte*>(data), size}};
}

Error outside(const std::string& location, std::string_view why) {
  return Error{"onnx.external", fmt::format("external data '{}' {}", printable(location), why), "",
               "external data must lie in the model's own folder"};
}

}  // namespace

Result<Bytes> map_file(const fs::path& path) {
  auto mapped = map_path(path, true);
  if (mapped) return mapped;
  Error error = std::move(mapped).error();
  error.message = "the file " + error.message;
  return error;
}

Result<Bytes> ExternalData::bytes(const std::string& location, int64_t offset, int64_t length) {
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos) return outside(location, "has no usable location");
  if (relative.is_absolute()) return outside(location, "is an absolute path");
  if (std::find(relative.begin(), relative.end(), fs::path("..")) != relative.end())
    return outside(location, "leaves the folder by '..'");

  auto known = files_.find(location);
  if (known == files_.end()) {
    std::error_code error;
    const fs::path folder = fs::canonical(folder_, error);
    const fs::path path = error ? fs::path() : fs::canonical(folder / relative, error);
    if (error) {
      if (allow_absent_ && error == std::errc::no_such_file_or_directory) return Bytes{};
      return Error{"onnx.external",
                   fmt::format("external data '{}' cannot be read: {}", printable(location), error.message()), "",
                   "put the file beside the model"};
    }
    const auto [at, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    if (at != folder.end()) return outside(location, "leaves the folder by a symbolic link");
    auto mapped = map_path(path, false);
    if (!mapped)
      return Error{"onnx.external", fmt::format("external data '{}' {}", printable(location), mapped.error().message)};
    known = files_.emplace(location, std::move(mapped).value()).first;
  }
  const auto size = static_cast<int64_t>(known->second.view.size());
  if (offset < 0 || length < 0 || offset > size || length > size - offset)
    return Error{"onnx.external",
                 fmt::format("external data '{}': {} bytes at offset {} are not in the file's {} bytes",
                             printable(location), length, offset, size)};
  return Bytes{known->second.owner,
               known->second.view.subspan(static_cast<size_t>(offset), static_cast<size_t>(length))};
}

}  // namespace hadal::onnx
