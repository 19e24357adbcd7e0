// The habits of measured software: what a compiler or library does with a chip, whether or not that is best. A plan
// with a profile obeys it instead of looking for a schedule of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chip/chip.h"

namespace hadal::compile {

/// Rows and columns of a block of results.
struct Block {
  int64_t rows = 0, columns = 0;
  bool operator==(const Block&) const = default;
};

struct Profile {
  std::string name, summary, chip, file;

  /// What the measured runs have of the chip. 0: what its description says.
  struct Machine {
    double clock_hertz = 0;
    double memory_efficiency = 0;
    double matrix_share = 1;  ///< Of the array's peak.
    bool warm = false;        ///< The cache holds what the same call left in it.
  } machine;

  /// Femtoseconds from a call to its first instruction, by what is called.
  struct Launch {
    int64_t matmul = 0, conv = 0, attention = 0, softmax = 0, normalize = 0, map = 0;
  } launch;

  struct Layers {
    bool resident = true;   ///< Results stay in the scratchpad for the next layer.
    bool epilogues = true;  ///< Element-wise work behind a convolution is part of it.
    /// Room for a tile of what streams past the array, stays in it, and leaves it; 0: the compiler's own limits.
    int64_t activation_bytes = 0, weight_bytes = 0, result_bytes = 0;
    int64_t row_bytes = 0;  ///< Room for a tile of row and element-wise work, of which there are two each way.
    int64_t stages = 0;     ///< Tiles of each operand of a product that have room, at most; 0: the compiler's own.
    int64_t results = 0;    ///< The same of results; with one, a tile is stored before the next begins.
  } layers;

  struct Matmul {
    std::string rule = "estimate";  ///< By which one of the tiles is taken: the fastest by estimate, or by "waves".
    std::vector<Block> tiles;       ///< Blocks of results that the software knows; none: the compiler's own search.
    std::vector<int64_t> splits;    ///< Parts of the contraction that it knows, on cores of their own.
    int64_t chunk = 0;              ///< Of the contraction, in one step.
    int64_t raster = 1;             ///< Rows of tiles that are walked together, column by column.
    bool panels = false;            ///< A core holds the rows of a tile over all columns, where these fit.
    /// Operands of together at most this are loaded whole before the first multiplication,
    int64_t whole_bytes = 0;
    int64_t whole_rows = 1;  ///< where there are as many rows at least.
    /// Tiles whose rows have more than this over the whole contraction are of few rows; 0: they need not be.
    int64_t window_bytes = 0, window_rows = 1;
  } matmul;

  struct Convolution {
    std::vector<Block> tiles;  ///< Pixels and channels of blocks of results; none: the compiler's own search.
    int64_t lanes = 1;         ///< Channels of a tap are filled up to a multiple of this in the array,
    int64_t packed = 0;        ///< unless they are fewer than this: then taps lie side by side.
  } convolution;

  /// Row work: "whole" rows are read once; "apart", each pass over rows is a layer with a result of its own; "again",
  /// rows of more than `held_bytes` are read twice, and of more than `cached_bytes` three times.
  struct Rows {
    std::string passes = "whole";
    int64_t held_bytes = 0, cached_bytes = 0;
    int64_t rows = 0;              ///< That a core takes at a time; 0: what fits.
    int64_t elements = 1;          ///< That it takes at least: shorter rows are taken together.
    int64_t step_cycles = 0;       ///< Of a step of a row's tree over the lanes; 0: the chip's.
    double lane_instructions = 0;  ///< An element, on the lanes; 0: by the chip's rules.
    /// Times that memory is read for a row.
    [[nodiscard]] int reads(int64_t row_bytes) const {
      if (passes != "again" || row_bytes <= held_bytes) return 1;
      return row_bytes <= cached_bytes ? 2 : 3;
    }
  } softmax, normalize;

  struct Attention {
    std::string scores = "joined";  ///< "joined": they stay in the core; "stored": they go through memory.
    int64_t queries = 0;            ///< Rows that a core takes at a time; 0: the compiler's own choice.
    int64_t heads = 1;              ///< Where these are all rows: heads that it takes together, as far as they fit.
    /// Rows and columns of the arrays that one product of the kernel fills, of whose rows all arrays take a part; 0: by
    /// the chip's rules.
    int64_t array_block = 0;
    int64_t issue_cycles = 0;      ///< Of a transfer, which the kernel waits for; 0: the chip's.
    double lane_instructions = 0;  ///< A score, on the lanes; 0: by the chip's rules.
  } attention;

  std::map<std::string, std::string> sources;  ///< Where each figure comes from, by field.
};

/// Reads NAME from the shipped profiles, or a path to a file. Errors: profile.*, file.*.
Result<Profile> load_profile(const std::string& name_or_path);
Result<Profile> parse_profile(const std::string& text, const std::string& file);
std::vector<std::string> shipped_profiles();
/// The reference manual of profiles, docs/profiles.md, from the table of fields.
std::string profiles_reference();

/// The chip as the measured runs have it. Error: profile.chip, where the profile is another chip's.
Result<chip::Chip> under(const Profile& profile, chip::Chip chip);
/// The same for a call of an operator, the op of its program's first layer: its launch, and what its compiled code
/// makes of the lanes.
chip::Chip calling(const Profile& profile, chip::Chip chip, std::string_view op);

}  // namespace hadal::compile
