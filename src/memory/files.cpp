#include "memory/files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/suggest.h"

namespace hadal::memory {

namespace fs = std::filesystem;

namespace {

fs::path shipped_folder() {
  if (const char* given = std::getenv("HADAL_MEMORIES"); given && *given) return given;
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder :
       {binary / "../../../memories", binary / "../share/hadal/memories", fs::path(HADAL_SOURCE_DIR "/memories")})
    if (fs::is_directory(folder, error)) return fs::weakly_canonical(folder, error);
  return {};
}

}  // namespace

std::vector<std::string> shipped_memories() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(shipped_folder(), error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

Result<Device> load_memory(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml")) return load_device(name_or_path);
  const std::vector<std::string> shipped = shipped_memories();
  if (std::find(shipped.begin(), shipped.end(), name_or_path) != shipped.end())
    return load_device((shipped_folder() / (name_or_path + ".toml")).string());
  const std::vector<std::string_view> names(shipped.begin(), shipped.end());
  const std::string hint = did_you_mean(name_or_path, names);
  return Error{
      "memory.not_found",
      fmt::format("there is no memory \"{}\"", printable(name_or_path)),
      {},
      hint.empty() ? fmt::format("shipped are {}; or give a file, my-memory.toml", fmt::join(shipped, ", ")) : hint};
}

}  // namespace hadal::memory
