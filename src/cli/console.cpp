#include "cli/console.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hadal::cli {

Status put(std::FILE* stream, std::string_view text) {
  errno = 0;
  const size_t written = std::fwrite(text.data(), 1, text.size(), stream);
  if (written == text.size() && std::fflush(stream) == 0) return {};
  if (errno == EPIPE) return {};
  return Error{"console.write",
               fmt::format("cannot write to {}: {}", stream == stdout ? "stdout" : "stderr", std::strerror(errno))};
}

Progress::Progress() : on_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::show(const std::string& stage) {
  if (!on_terminal_) return;
  (void)put(stderr, fmt::format("\r\x1b[K{} ...", printable(stage, 70)));
  shown_ = true;
}

void Progress::clear() {
  if (std::exchange(shown_, false)) (void)put(stderr, "\r\x1b[K");
}

int fail(const Error& error) {
  (void)put(stderr, error.text() + "\n");
  return error.code.starts_with("usage.") ? 2 : 1;
}

}  // namespace hadal::cli
