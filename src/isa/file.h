// The program file: docs/isa.md tells its format.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::isa {

inline constexpr std::string_view file_magic = "HADALPRG";
inline constexpr uint16_t file_major = 2, file_minor = 2;

/// Sections, each once and in this order. The numbers are part of the format.
enum class Section : uint32_t {
  strings,
  model,
  limits,
  parameters,
  regions,
  tensors,
  views,
  chains,
  tables,
  functions,
  semaphore_list,
  code,
  source,
  layers,
  ports,
  weights,
  weight_data,
};
struct SectionRow {
  std::string_view name, holds;
};
inline constexpr std::array<SectionRow, 17> sections{{
    {"strings", "count, length of each, bytes; other sections name strings by number (u32)"},
    {"model", "model, chip, precision (strings), page of the shared space (u64)"},
    {"limits",
     "cores (u32), scratchpad, shared, accumulator, memory bytes (u64), vector unit (u8), matrix types (list of u8)"},
    {"parameters", "name, destination register (u8), minimum, maximum (i64)"},
    {"regions", "name, kind (u8), bytes (u64)"},
    {"tensors",
     "name, space (u8), region (u16), dtype (u8), rank (u8), 6 extents (u32), 6 byte strides (i64), offset, bytes "
     "(u64)"},
    {"views",
     "128 bytes each: tensor (u16), rank, ring register (u8), ring shift (i16), slots (u16), slot bytes (u32), 6 "
     "origins "
     "(base, two scales i32), their registers (2 u8 each), 6 extents (u32), their registers (u8), 2 zero bytes"},
    {"chains", "computing dtype (u8), inputs (u8), list of steps: operation (u8), 3 operands (u8), alpha, beta (f32)"},
    {"tables", "name, taps (u32), list of indices (i32), list of weights (f32)"},
    {"functions", "names"},
    {"semaphores", "name, initial count (i32), waiting queue (u8)"},
    {"code", "instructions, one after the other, without a count"},
    {"source", "layer of each instruction (u32); then, if there are any, lines of the source text, as names"},
    {"layers", "name, op, list of nodes, multiply-accumulates (u64), compulsory bytes (u64), dtype (u8)"},
    {"ports",
     "inputs, then outputs: name, dtype, stored dtype (u8), list of extents (i64), region (u16), counted axis (u8, "
     "255: "
     "none), region of its count (u16); then, if there are any, fixed inputs: name, dtype (u8), list of extents (i64), "
     "list of bytes; then, if there are any, states: number of the input, of the output (u16)"},
    {"weights", "name, offset in the region, size, present (u8), offset in weight_data (u64)"},
    {"weight_data", "bytes of the present weights, each at a multiple of 64; begins at a multiple of 4096 in the file"},
}};

/// Writes the canonical form of the program (canonical.h), the file whole or not at all. Errors: program.write (disk),
/// code.C1 (cannot be encoded), program.limit.
Status write_program(const Program& program, const std::filesystem::path& path);

/// Reads and maps a file; weights point into the mapping and keep it alive. The file is not trusted: sizes are bounded
/// before memory is taken. What the program does is `verify`'s matter. Errors: program.read, program.magic,
/// program.version, program.section, program.checksum, code.C1, with section and byte.
Result<Program> read_program(const std::filesystem::path& path);

/// The same from bytes in memory; `name` stands for them in errors.
Result<Program> parse_program(Bytes bytes, const std::string& name);

/// Whether a file begins like a program.
bool is_program(const std::filesystem::path& path);

}  // namespace hadal::isa
