// Files that a command is to write, checked before its work begins: a long run must not end in a wrong path.
#pragma once

#include <string>

#include "base/result.h"

namespace hadal::cli {

/// Whether `flag`'s file can be made: its folder is there and writable, it is no folder itself, and not the file
/// `source` that is read. "-" and what is no regular file pass. Errors: usage.value, output.file.
Status check_output(const std::string& flag, const std::string& file, const std::string& source);

/// The same for a folder, which is made where it is missing: what there is of it can be written in. Errors:
/// usage.value, output.folder.
Status check_output_folder(const std::string& flag, const std::string& folder);

}  // namespace hadal::cli
