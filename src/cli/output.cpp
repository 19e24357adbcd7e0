#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace hadal::cli {

namespace {

namespace fs = std::filesystem;

Error nameless(const std::string& flag, const char* what) {
  return Error{"usage.value", fmt::format("{} needs the name of a {}", flag, what)};
}

/// The folder that a file lies in.
fs::path parent_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

bool writable(const fs::path& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; }

}  // namespace

Status check_output(const std::string& flag, const std::string& file, const std::string& source) {
  if (file.empty()) return nameless(flag, "file");
  if (file == "-") return {};
  std::error_code ignored;
  const auto error = [&](std::string message) {
    return Error{"output.file", fmt::format("{}: {}", flag, message), printable(file)};
  };
  const fs::file_status status = fs::status(file, ignored);
  if (fs::is_directory(status)) return error("expected the name of a file, found a folder");
  if (!source.empty() && fs::equivalent(file, source, ignored)) return error("the file would replace what is read");
  if (fs::exists(status) && !fs::is_regular_file(status)) return {};
  const fs::path folder = parent_of(file);
  if (!fs::is_directory(folder, ignored))
    return error(fmt::format("there is no folder {}", printable(folder.string())));
  if (!writable(folder)) return error(fmt::format("cannot write in its folder: {}", std::strerror(errno)));
  return {};
}

Status check_output_folder(const std::string& flag, const std::string& folder) {
  if (folder.empty()) return nameless(flag, "folder");
  const auto error = [&](std::string message) {
    return Error{"output.folder", fmt::format("{}: {}", flag, message), printable(folder)};
  };
  std::error_code ignored;
  fs::path at = folder;  // Up to what is there already.
  while (!fs::exists(fs::symlink_status(at, ignored)) && at != parent_of(at)) at = parent_of(at);
  if (!fs::is_directory(at, ignored))
    return error(fmt::format("cannot make the folder: {} is no folder", printable(at.string())));
  if (!writable(at)) return error(fmt::format("cannot write in {}: {}", printable(at.string()), std::strerror(errno)));
  return {};
}

}  // namespace hadal::cli
