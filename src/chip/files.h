// Where descriptions are found.
#pragma once

#include <string>

#include "base/result.h"

namespace hadal::chip {

/// The text of a regular file of at most max_description_bytes. Errors: file.*.
Result<std::string> read_description(const std::string& file);

/// The file of `extends = "name"` in `file`: NAME.toml in the same folder, else among the shipped ones.
Result<std::string> find_extended(const std::string& name, const std::string& file);

}  // namespace hadal::chip
