#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/unfinished.h"

namespace hadal {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { (void)close_now(); }
  [[nodiscard]] int get() const { return fd_; }
  /// Closes; false where the last bytes did not reach the file.
  bool close_now() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_;
};

/// System calls take at most this much at once.
constexpr size_t piece = size_t{1} << 30;

std::string shown(const std::filesystem::path& path) { return printable(path.string()); }

Error failure(const char* code, const char* what, const std::filesystem::path& path, int reason) {
  return Error{code, fmt::format("{}: {}", what, std::strerror(reason)), shown(path)};
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), std::min(bytes.size(), piece));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

/// A name beside `path` that nobody else uses.
std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<unsigned> count{0};
  return path.parent_path() / fmt::format(".hadal-{}-{}.part", ::getpid(), count++);
}

}  // namespace

Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, int64_t largest) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return failure("file.open", "cannot open the file", path, errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure("file.open", "cannot open the file", path, errno);
  if (!S_ISREG(status.st_mode))
    return Error{"file.kind",
                 S_ISDIR(status.st_mode) ? "expected a file, found a folder"
                                         : "expected a regular file, found a pipe or a device",
                 shown(path)};
  if (status.st_size > largest)
    return Error{"file.size", fmt::format("the file has {} bytes; at most {} are allowed", status.st_size, largest),
                 shown(path)};

  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + have, std::min(bytes.size() - have, piece));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("file.read", "cannot read the file", path, errno);
    if (n == 0) return Error{"file.read", "the file became shorter while it was read", shown(path)};
    have += static_cast<size_t>(n);
  }
  return bytes;
}

namespace {

/// A new name is on the disk once its folder is.
void sync_folder(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) (void)::fsync(opened.get());
}

Status write_whole(const std::filesystem::path& path, std::span<const std::byte> bytes, bool synced) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || !write_all(file.get(), bytes) || !file.close_now())
      return failure("file.write", "cannot write the file", path, errno);
    return {};
  }
  // Where the name is a link, the file behind it is replaced and the link stays.
  std::error_code ignored;
  std::filesystem::path target =
      std::filesystem::is_symlink(path, ignored) ? std::filesystem::weakly_canonical(path, ignored) : path;
  if (target.empty()) target = path;
  const std::filesystem::path temporary = temporary_beside(target);
  const Unfinished unfinished(temporary);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) return failure("file.write", "cannot write the file", path, errno);
  if (!write_all(file.get(), bytes) || (synced && ::fsync(file.get()) != 0) || !file.close_now() ||
      ::rename(temporary.c_str(), target.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return failure("file.write", "cannot write the file", path, reason);
  }
  if (synced) sync_folder(target);
  return {};
}

}  // namespace

Status write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  return write_whole(path, bytes, false);
}

Status write_file(const std::filesystem::path& path, std::string_view text) {
  return write_whole(path, std::as_bytes(std::span(text.data(), text.size())), false);
}

Status write_file_synced(const std::filesystem::path& path, std::string_view text) {
  return write_whole(path, std::as_bytes(std::span(text.data(), text.size())), true);
}

}  // namespace hadal
