// Tile programs from elsewhere than the graph compiler: kernels, which Python traces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/load.h"
#include "tile/program.h"

namespace hadal::runtime {

/// Longest text of a tile program that is read, bytes.
inline constexpr size_t max_tile_program_bytes = size_t{64} << 20;

struct TileProgram {
  tile::Program tiles;
  int64_t cores = 1;  ///< That it deals its work to.
};

/// A tile program as JSON (docs/kernels.md): storages, tensors, rings, chains and phases of statements, each of
/// which names the earlier ones by number. Errors: tiles.syntax, tiles.field with the path of what is wrong, as
/// "phases[0].body[2].op". What the program does is checked when it is lowered and verified. Grids are dealt to so many
/// cores, or to as many as the document says.
Result<TileProgram> parse_tile_program(std::string_view json, std::optional<int64_t> cores = std::nullopt);

/// Lowers it for the source's chip, and verifies it. Errors: those of the chip, of lowering (plan.capacity,
/// lower.semaphores …) and of the verifier.
Result<Loaded> load_tiles(const TileProgram& program, const Source& source);

}  // namespace hadal::runtime
