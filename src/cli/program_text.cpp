#include "cli/program_text.h"

#include <array>
#include <cstdio>

#include "base/files.h"
#include "runtime/resources.h"

namespace hadal::cli {

Result<ProgramText> read_program_text(const std::string& file) {
  const int64_t most = runtime::most_text_bytes();
  if (file != "-") {
    HADAL_TRY(const auto bytes, read_file(file, most));
    return ProgramText{
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file, std::filesystem::path(file).parent_path()};
  }
  ProgramText out{{}, "stdin", {}};
  std::array<char, 1 << 16> piece;
  while (const size_t n = std::fread(piece.data(), 1, piece.size(), stdin)) {
    out.text.append(piece.data(), n);
    if (static_cast<int64_t>(out.text.size()) > most)
      return Error{"file.size", fmt::format("the text has more than {} bytes", most), "stdin"};
  }
  if (std::ferror(stdin)) return Error{"file.read", "cannot read stdin"};
  return out;
}

}  // namespace hadal::cli
