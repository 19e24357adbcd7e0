// The text of a program, as the command line names it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace hadal::cli {

struct ProgramText {
  std::string text, file;
  std::filesystem::path folder;  ///< Where relative paths in the text begin.
};

/// Reads a file, or stdin where it is "-". Errors: file.*.
Result<ProgramText> read_program_text(const std::string& file);

}  // namespace hadal::cli
