#include "rules/matrix.h"

#include <algorithm>

#include "rules/cycles.h"

namespace hadal::rules {

namespace {

/// The product as the array sees it: tiles of one operand stay, rows of another stream past each.
struct Tiling {
  double rows_of_tiles = 0, columns_of_tiles = 0;  ///< Tiles of the stationary operand.
  double streamed = 0;                             ///< Steps past each tile.
  [[nodiscard]] double passes() const { return rows_of_tiles * columns_of_tiles; }
};

Tiling tiling(const chip::Matrix& matrix, const MatrixWork& work) {
  const bool outputs_stay = matrix.dataflow == "output-stationary";
  return {.rows_of_tiles = static_cast<double>(ceil_div(outputs_stay ? work.m : work.k, matrix.rows)),
          .columns_of_tiles = static_cast<double>(ceil_div(work.n, matrix.columns)) * static_cast<double>(work.batch),
          .streamed = static_cast<double>(outputs_stay ? work.k : work.m)};
}

bool is_empty(const MatrixWork& work) { return work.m <= 0 || work.k <= 0 || work.n <= 0 || work.batch <= 0; }

double rate(const chip::Matrix& matrix, DType operands) {
  const auto found = matrix.rows_per_cycle.find(operands);
  return found == matrix.rows_per_cycle.end() ? 0 : found->second;
}

}  // namespace

MatrixWork convolution(int64_t pixels, int64_t taps, int64_t channels, int64_t features, int64_t groups,
                       DType operands) {
  return {.m = pixels, .k = taps * (channels / groups), .n = features / groups, .batch = groups, .operands = operands};
}

bool supports(const chip::Matrix& matrix, DType operands) {
  return matrix.rows > 0 && matrix.columns > 0 && rate(matrix, operands) > 0;
}

MatrixCycles matrix_cycles(const chip::Matrix& matrix, const MatrixWork& work) {
  if (is_empty(work)) return {};
  if (!supports(matrix, work.operands)) return {.array = forever};

  const Tiling tiles = tiling(matrix, work);
  const double swap = static_cast<double>(matrix.rows) / matrix.weight_rows_per_cycle;
  const bool hidden = matrix.weight_buffers >= 2;
  const double count = static_cast<double>(matrix.count);

  double best = 0x1p62;
  for (double slices = 1; slices <= count && slices <= tiles.streamed; ++slices) {
    const double stream = std::ceil(tiles.streamed / slices) / rate(matrix, work.operands);
    const double pass = hidden ? std::max(stream, swap) : stream + swap;
    best = std::min(best, std::ceil(tiles.passes() * slices / count) * pass);
  }
  if (work.scale_block > 0) {
    const double results = static_cast<double>(work.m) * static_cast<double>(work.n) * static_cast<double>(work.batch);
    const double blocks = static_cast<double>(ceil_div(work.k, work.scale_block));
    best = blocks * (std::max(best / blocks, results / matrix.output_elements_per_cycle) + matrix.scale_cycles);
  }
  MatrixCycles cycles{
      .passes = whole_cycles(tiles.passes()),
      .array = whole_cycles(best),
      .preload = hidden ? whole_cycles(swap) : 0,
      .fill = ceil_div(matrix.rows, matrix.stage_cells) + ceil_div(matrix.columns, matrix.stage_cells) - 2,
      .columns = whole_cycles(tiles.columns_of_tiles)};
  const bool outputs_stay = matrix.dataflow == "output-stationary";  // All results leave after all steps.
  const double pass = outputs_stay ? 0 : best / std::ceil(tiles.passes() / count);
  cycles.last = whole_cycles(pass);
  cycles.lead = outputs_stay ? cycles.array : whole_cycles(std::min(best - pass, pass * (tiles.rows_of_tiles - 1)));
  return cycles;
}

int64_t emit_cycles(const chip::Matrix& matrix, int64_t elements) {
  return whole_cycles(static_cast<double>(elements) / matrix.output_elements_per_cycle);
}

int64_t emit_tail(const MatrixCycles& cycles, int64_t emit) {
  return std::max<int64_t>(0, ceil_div(emit, std::max<int64_t>(cycles.columns, 1)) - cycles.last);
}

int64_t matrix_read_bytes(const chip::Matrix& matrix, const MatrixWork& work) {
  if (is_empty(work)) return 0;
  const Tiling tiles = tiling(matrix, work);
  const double m = static_cast<double>(work.m), k = static_cast<double>(work.k), n = static_cast<double>(work.n);
  const double batch = static_cast<double>(work.batch);
  const double sweeps = std::ceil(tiles.columns_of_tiles / batch / static_cast<double>(matrix.count));
  // Output-stationary arrays stream both operands: `a` once a sweep of columns, `b` once a row of tiles.
  const double b_sweeps = matrix.dataflow == "output-stationary" ? tiles.rows_of_tiles : 1;
  return whole_cycles(batch * (m * k * sweeps + k * n * b_sweeps) * bytes_of(work.operands));
}

int64_t depthwise_cycles(const chip::Chip& chip, int64_t pixels, int64_t channels, int64_t taps, DType operands) {
  if (!chip.matrix.depthwise_on_lanes || chip.vector.lanes == 0)
    return matrix_cycles(chip.matrix, {.m = pixels, .k = taps, .n = 1, .batch = channels, .operands = operands}).array;
  const double macs = static_cast<double>(pixels) * static_cast<double>(channels) * static_cast<double>(taps);
  if (macs <= 0) return 0;
  const double lanes = static_cast<double>(chip.vector.lanes);
  return whole_cycles(macs / (lanes * chip.vector.alu_per_lane)) + chip.vector.latency_cycles;
}

}  // namespace hadal::rules
