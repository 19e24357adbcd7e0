#include "memory/files.h"

#include <algorithm>

#include "base/shipped.h"
#include "base/suggest.h"

namespace hadal::memory {

namespace {

constexpr Shipped all{"memories", "HADAL_MEMORIES"};

}  // namespace

std::vector<std::string> shipped_memories() { return all.names(); }

std::string described_as(const std::string& name, const std::filesystem::path& folder) {
  const std::string file = name + ".toml";
  const std::vector<std::string> shipped = shipped_memories();
  std::error_code error;
  if (std::filesystem::exists(folder / file, error) || std::ranges::find(shipped, name) == shipped.end())
    return (folder / file).string();
  return (all.path() / file).string();
}

Result<Device> load_memory(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml")) return load_device(name_or_path);
  const std::vector<std::string> shipped = shipped_memories();
  if (std::find(shipped.begin(), shipped.end(), name_or_path) != shipped.end())
    return load_device((all.path() / (name_or_path + ".toml")).string());
  const std::vector<std::string_view> names(shipped.begin(), shipped.end());
  const std::string hint = did_you_mean(name_or_path, names);
  return Error{
      "memory.not_found",
      fmt::format("there is no memory \"{}\"", printable(name_or_path)),
      {},
      hint.empty() ? fmt::format("shipped are {}; or give a file, my-memory.toml", fmt::join(shipped, ", ")) : hint};
}

}  // namespace hadal::memory
