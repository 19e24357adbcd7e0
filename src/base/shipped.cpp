#include "base/shipped.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

namespace hadal {

namespace fs = std::filesystem;

bool is_regular(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

namespace {

/// The folder of the file that this code was loaded from: the binary, or libhadal.so.
fs::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&is_regular), &info) == 0 || info.dli_fname == nullptr) return {};
  return fs::path(info.dli_fname).parent_path();
}

}  // namespace

fs::path Shipped::path() const {
  if (const char* given = std::getenv(variable); given && *given) return given;
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& place : {binary / "../../.." / folder, binary / "../share/hadal" / folder,
                                own_folder() / "../share/hadal" / folder, fs::path(HADAL_SOURCE_DIR) / folder})
    if (fs::is_directory(place, error)) return fs::weakly_canonical(place, error);
  return {};
}

std::vector<std::string> Shipped::names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path(), error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".toml" && is_regular(at->path())) names.push_back(at->path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace hadal
