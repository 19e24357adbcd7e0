// The typed chip description. Every size, rate and latency of a machine is here, and nowhere in code.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace hadal::chip {

struct Clock {
  double hertz = 1e9;
};

struct Matrix {
  int64_t count = 1;              ///< Arrays a core, working side by side on the passes of one instruction.
  int64_t rows = 0, columns = 0;  ///< Array: rows take the contraction, columns the output channels.
  /// Activation rows entering a pass each cycle, by operand type: 1, 2 for double rate, 1/3 for f32 by three passes. 0:
  /// not supported.
  std::map<DType, double> rows_per_cycle;
  int64_t f32_passes = 0;  ///< bf16 passes that make an f32 product: 3 exact, 1 rounds operands to bf16; 0: native f32.
  double weight_rows_per_cycle = 1;      ///< Array rows that a weight preload fills in a cycle.
  int64_t weight_buffers = 2;            ///< 2 hides the preload behind the previous pass.
  std::string dataflow;                  ///< "weight-stationary" or "output-stationary".
  int64_t stage_cells = 1;               ///< Cells that an activation, and a sum, pass in a cycle.
  double output_elements_per_cycle = 0;  ///< Accumulators leaving through the epilogue a cycle.
  double scale_cycles = 0;               ///< That the arrays wait while a block's sums are scaled.
  bool depthwise_on_lanes =
      true;  ///< Depthwise convolution runs at the vector lanes' rate, else one column of the array.
};

struct Vector {
  int64_t lanes = 0;                      ///< 32-bit lanes a core; 0: no vector unit.
  double alu_per_lane = 1;                ///< Simple operations a lane a cycle.
  double special_per_lane = 0.25;         ///< exp, log, tanh, erf, divide, square root … a lane a cycle.
  int64_t latency_cycles = 0;             ///< Pipeline depth, once an instruction.
  int64_t cross_lane_latency_cycles = 0;  ///< One step of a reduction tree across lanes.
  double permute_bytes_per_cycle = 0;     ///< Transposes and gathers inside the scratchpad.
  double topk_width = 1, compare_per_lane = 1;
};

struct Scratchpad {
  int64_t bytes = 0;  ///< A core.
  int64_t banks = 1;
  double bytes_per_cycle = 0;     ///< Read (and as much write) bandwidth that engines share.
  int64_t accumulator_bytes = 0;  ///< A core.
  int64_t accumulator_tiles = 2;  ///< 2: emitting one overlaps computing the next.
};

struct Sequencer {
  double issue_cycles = 1, let_cycles = 1;
  int64_t queue_depth = 16;
  int64_t instruction_buffer_bytes = 0;  ///< A loop body that fits is fetched once.
  double fetch_bytes_per_cycle = 16;
  int64_t fetch_latency_cycles = 0;
  int64_t signal_latency_cycles = 0;  ///< From the end of an instruction to a waiting one, in the same core.
};

struct Dma {
  int64_t issue_cycles = 0;            ///< Descriptor to first request.
  int64_t outstanding = 1;             ///< Instructions of one queue in flight.
  double bytes_per_cycle = 0;          ///< Peak of one core's DMA, each direction.
  double convert_bytes_per_cycle = 0;  ///< With cast or permutation.
  int64_t burst_bytes = 64;            ///< A contiguous run is rounded up to whole bursts at both ends.
};

struct Network {
  std::string topology;  ///< "mesh", "crossbar" or "none".
  int64_t x = 1, y = 1;
  double link_bytes_per_cycle = 0;
  int64_t hop_cycles = 0;
};

struct Memory {
  std::string kind;             ///< "HBM3", "LPDDR5" …
  std::string device = "none";  ///< A description of a memory, whose banks are timed, or "none".
  int64_t bytes = 0;
  double bytes_per_second = 0;       ///< Peak of all channels.
  int64_t channels = 1;              ///< Independent (pseudo-)channels.
  int64_t interleave_bytes = 256;    ///< Consecutive bytes of one channel.
  bool hashed = false;               ///< A hash deals addresses to channels; else they take turns.
  int64_t latency_femtoseconds = 0;  ///< First byte of an idle read, controller included.
  double efficiency = 1;             ///< Share of the peak that streams reach: refresh, activations, turnarounds.
};

/// Between network and memory, for what loads find there: time only.
struct Cache {
  int64_t bytes = 0;                 ///< 0: none.
  int64_t latency_femtoseconds = 0;  ///< First byte of a hit.
};

struct Host {
  std::string name;
  double bytes_per_second = 0;  ///< Link, each direction.
  int64_t link_latency_femtoseconds = 0;
  int64_t launch_femtoseconds = 0;   ///< From a request to the first instruction.
  double operations_per_second = 0;  ///< Scalar operations of host functions.
  double memory_bytes_per_second = 0;
};

struct Chip {
  std::string name, summary, file;
  int64_t cores = 1;
  Clock clock;
  Matrix matrix;
  Vector vector;
  Scratchpad scratchpad;
  Sequencer sequencer;
  Dma dma;
  Network network;
  Cache cache;
  Memory memory;
  Host host;
  double idle_watts = 0, peak_watts = 0;  ///< As published or stated; 0 where unknown.
  std::map<std::string, std::string>
      sources;  ///< Where each figure comes from, by field ("matrix.rows"), as the file says.

  /// Peak multiply-accumulates a second of all cores at an operand type; 0 where it cannot.
  [[nodiscard]] double peak_macs_per_second(DType type) const;
  [[nodiscard]] double seconds(double cycles) const { return cycles / clock.hertz; }
};

/// One field as it is documented and printed: `hadal chips NAME`, docs/chips.md.
struct FieldRow {
  std::string name, unit, meaning, value, source;
};

/// Longest chain of `extends`, and largest description in bytes, that are read.
inline constexpr int max_extends = 8;
inline constexpr int64_t max_description_bytes = 1 << 18;

/// Reads NAME from the shipped descriptions (searched beside the binary and in the source tree), or a path to a file.
Result<Chip> load_chip(const std::string& name_or_path);
/// Reads a description from `text`; `file` names it in errors, and its folder is where `extends` looks first.
Result<Chip> parse_chip(const std::string& text, const std::string& file);
/// Names of the shipped chips, sorted.
std::vector<std::string> shipped_chips();
/// Every field with its value and the source given in the file; then the peak rates that follow.
std::vector<FieldRow> describe(const Chip& chip);
/// The reference manual of the description language, docs/chips.md, from the table of fields.
std::string chips_reference();
/// A chip whose clocks and latencies are `factor` times as fast.
Chip scaled(const Chip& chip, double factor);

}  // namespace hadal::chip
