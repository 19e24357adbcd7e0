// Descriptions that come with the program: folders of .toml files beside the binary, or in the source tree.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hadal {

/// A folder of them: `variable` of the environment may name another.
struct Shipped {
  const char* folder;    ///< "chips"
  const char* variable;  ///< "HADAL_CHIPS"

  /// Empty where there is none.
  [[nodiscard]] std::filesystem::path path() const;
  /// Of the regular .toml files, without the ending, in order.
  [[nodiscard]] std::vector<std::string> names() const;
};

/// Whether a path is a regular file: a FIFO would block its reader.
bool is_regular(const std::filesystem::path& path);

}  // namespace hadal
