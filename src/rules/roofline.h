// The least time that the arithmetic and the compulsory traffic of some work can take on a chip.
#pragma once

#include <span>

#include "base/dtype.h"
#include "chip/chip.h"

namespace hadal::rules {

enum class Engine { none, matrix, vector };

/// Multiply-accumulates of one operand type.
struct Macs {
  DType operands = DType::bf16;
  double count = 0;
  bool depthwise = false;  ///< Convolutions of one channel a group: an array has no contraction to share there.
};

/// The engine that runs such work: the array where it has the type; the lanes for depthwise convolutions (chip field
/// matrix.depthwise_on_lanes) and, for f32, where the array lacks it; none where neither can.
Engine engine_of(const chip::Chip& chip, const Macs& macs);

/// Peak of that engine over all cores, multiply-accumulates a second; 0 for none.
double peak_macs_per_second(const chip::Chip& chip, const Macs& macs);

/// max(arithmetic, bytes / memory bandwidth), core cycles, not rounded. The engines run side by side, so arithmetic is
/// the busier engine's time. Infinity where no engine can run some of it.
/// Source: Williams, Waterman, Patterson, "Roofline", CACM 2009, on data-sheet peaks.
double roofline_cycles(const chip::Chip& chip, std::span<const Macs> macs, double compulsory_bytes);

}  // namespace hadal::rules
