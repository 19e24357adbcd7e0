#include "chip/files.h"

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/shipped.h"
#include "base/suggest.h"
#include "chip/chip.h"

namespace hadal::chip {

namespace fs = std::filesystem;

namespace {

constexpr Shipped all{"chips", "HADAL_CHIPS"};

/// Names that cannot leave a folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

Error no_such_chip(const std::string& name) {
  const std::vector<std::string> known = shipped_chips();
  const std::vector<std::string_view> names(known.begin(), known.end());
  std::string list;
  for (const auto& chip : known) list += (list.empty() ? "" : ", ") + chip;
  const std::string hint = did_you_mean(name, names);
  return {"chip.not_found",
          fmt::format("there is no chip \"{}\"", printable(name)),
          {},
          list.empty()
              ? "no shipped descriptions were found: set HADAL_CHIPS to their folder"
              : fmt::format("{}{}shipped are {}; or give a file, my-chip.toml", hint, hint.empty() ? "" : " ", list)};
}

/// The same file by one name, so that circles of `extends` are seen.
std::string full_path(const fs::path& path) {
  std::error_code error;
  const fs::path full = fs::weakly_canonical(path, error);
  return error ? path.string() : full.string();
}

}  // namespace

Result<std::string> read_description(const std::string& file) {
  HADAL_TRY(const std::vector<std::byte> bytes, read_file(file, max_description_bytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::string> find_extended(const std::string& name, const std::string& file) {
  if (!is_plain_name(name))
    return Error{"chip.extends",
                 fmt::format("\"{}\" is not the name of a chip", printable(name)),
                 {},
                 "a name, without folder or .toml"};
  const fs::path beside = fs::path(file).parent_path() / (name + ".toml");
  if (is_regular(beside) && full_path(beside) != full_path(file))
    return full_path(beside);  // A file may vary its namesake.
  const fs::path shipped = all.path() / (name + ".toml");
  if (is_regular(shipped)) return full_path(shipped);
  return no_such_chip(name);
}

std::vector<std::string> shipped_chips() { return all.names(); }

Result<Chip> load_chip(const std::string& name_or_path) {
  fs::path file = name_or_path;
  if (is_plain_name(name_or_path) && !name_or_path.ends_with(".toml")) {
    file = all.path() / (name_or_path + ".toml");
    if (!is_regular(file)) return no_such_chip(name_or_path);
  }
  HADAL_TRY(const std::string text, read_description(file.string()));
  return parse_chip(text, full_path(file));
}

}  // namespace hadal::chip
