// Programs as text. The canonical text of a program assembles to the same file, byte for byte.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::isa {

/// Where the text has the bytes of the weights.
enum class WeightText {
  inlined,       ///< In the text, as hexadecimal digits.
  side_file,     ///< In a file of weights alone, as `write_text` makes it.
  program_file,  ///< In the program file that the program was read from.
};

/// The canonical text. `file` is the path that names the weights' file in it; where it is empty, weights that are not
/// inlined are absent. `program_file` is for what read_program gave. Errors: those of verify_static, since
/// what breaks the rules has no text.
Result<std::string> disassemble(const Program& program, WeightText weights, const std::string& file = "");

/// Each instruction as it stands in the text. The program has passed verify_static.
std::vector<std::string> instruction_texts(const Program& program);

/// Writes the text to `path`; weights, unless they are inlined, to `path`.weights beside it.
Status write_text(const Program& program, const std::filesystem::path& path, bool inline_weights);

/// The program that a text describes, in canonical form; it is not verified. `file` names the text in errors; `folder`
/// is where relative paths of weights begin. Errors: asm.* with line, column and the line itself.
/// `lines` becomes the line of each instruction, from 1.
Result<Program> assemble(std::string_view text, const std::string& file, const std::filesystem::path& folder,
                         std::vector<uint32_t>* lines = nullptr);

/// The reference manual, docs/isa.md, printed from the tables.
std::string manual();

}  // namespace hadal::isa
