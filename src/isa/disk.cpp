#include "isa/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hadal::isa {

namespace {

Error failed(const char* code, const char* verb, const std::filesystem::path& path, int number) {
  return {code, fmt::format("cannot {}: {}", verb, std::generic_category().message(number)), printable(path.string())};
}

}  // namespace

Result<Bytes> map_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return failed("program.read", "open", path, errno);
  struct stat status{};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    return Error{"program.read",
                 S_ISDIR(status.st_mode) ? "expected a file, found a folder"
                                         : "expected a regular file, found a pipe or a device",
                 printable(path.string())};
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) {
    ::close(file);
    return Bytes{};
  }
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int number = errno;
  ::close(file);
  if (mapped == MAP_FAILED) return failed("program.read", "map", path, number);
  std::shared_ptr<const void> owner(mapped, [size](const void* at) { ::munmap(const_cast<void*>(at), size); });
  return Bytes{owner, {static_cast<const std::byte*>(mapped), size}};
}

OutputFile::OutputFile(int file, std::filesystem::path path, std::filesystem::path temporary)
    : file_(file), path_(std::move(path)), temporary_(std::move(temporary)), unfinished_(temporary_) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      unfinished_(std::move(other.unfinished_)) {}

OutputFile::~OutputFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

Error OutputFile::failure(const char* verb) const { return failed("program.write", verb, path_, errno); }

Result<OutputFile> OutputFile::open(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return Error{"program.write",
                 std::filesystem::is_directory(status) ? "expected the name of a file, found a folder"
                                                       : "expected a regular file, found a pipe or a device",
                 printable(path.string())};
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.partial", ::getpid());
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return failed("program.write", "create", path, errno);
  return OutputFile(file, path, std::move(temporary));
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return failure("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status OutputFile::commit() {
  if (::fsync(file_) != 0) return failure("write");
  const int closed = ::close(std::exchange(file_, -1));
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Error error = failure("write");
    ::unlink(temporary_.c_str());
    return error;
  }
  return {};
}

}  // namespace hadal::isa
