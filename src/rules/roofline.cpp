#include "rules/roofline.h"

#include <algorithm>
#include <limits>

#include "rules/matrix.h"

namespace hadal::rules {

Engine engine_of(const chip::Chip& chip, const Macs& macs) {
  const bool lanes = chip.vector.lanes > 0;
  if (macs.depthwise && chip.matrix.depthwise_on_lanes && lanes) return Engine::vector;
  if (supports(chip.matrix, macs.operands)) return Engine::matrix;
  return lanes && macs.operands == DType::f32 ? Engine::vector : Engine::none;
}

double peak_macs_per_second(const chip::Chip& chip, const Macs& macs) {
  switch (engine_of(chip, macs)) {
    case Engine::matrix: {
      const double peak = chip.peak_macs_per_second(macs.operands);
      return macs.depthwise ? peak / static_cast<double>(chip.matrix.columns) : peak;  // One column works.
    }
    case Engine::vector:
      return static_cast<double>(chip.cores) * static_cast<double>(chip.vector.lanes) * chip.vector.alu_per_lane *
             chip.clock.hertz;
    case Engine::none:
      break;
  }
  return 0;
}

double roofline_cycles(const chip::Chip& chip, std::span<const Macs> macs, double compulsory_bytes) {
  double matrix_seconds = 0, vector_seconds = 0;
  for (const Macs& part : macs) {
    if (part.count <= 0) continue;
    const double peak = peak_macs_per_second(chip, part);
    if (peak <= 0) return std::numeric_limits<double>::infinity();
    (engine_of(chip, part) == Engine::matrix ? matrix_seconds : vector_seconds) += part.count / peak;
  }
  const double memory_seconds = compulsory_bytes / chip.memory.bytes_per_second;
  return std::max({matrix_seconds, vector_seconds, memory_seconds}) * chip.clock.hertz;
}

}  // namespace hadal::rules
