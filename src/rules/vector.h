// Time of the vector engine. Each rule is core cycles of one instruction alone, pipeline latency included.
#pragma once

#include <cstdint>

#include "chip/chip.h"

namespace hadal::rules {

/// The unit and the scratchpad port behind it.
struct VectorUnit {
  chip::Vector vector;
  double port_bytes_per_cycle = 0;  ///< Read bandwidth left to the unit; writes have as much of their own.
};
/// The unit of `chip` with a port of its own.
VectorUnit vector_unit(const chip::Chip& chip);

/// An elementwise chain. Operations are those of one element.
struct MapWork {
  int64_t elements = 0;
  double alu_ops = 1, special_ops = 0;
  int64_t bytes = 0;  ///< Scratchpad bytes, read or written, whichever is more.
};
/// ceil(elements / lanes) vectors, each max(alu_ops / alu_per_lane, special_ops / special_per_lane) cycles, or the
/// port.
int64_t vector_cycles(const VectorUnit& unit, const MapWork& work);

/// Rows of `columns` elements. Rows shorter than the lanes lie side by side on them, whole.
struct RowWork {
  int64_t rows = 1, columns = 1;
  int64_t bytes = 0;
  bool across_lanes = true;  ///< The columns are contiguous, on the lanes; else the rows are, and lanes never exchange.
};
/// Vectors that the rows take: ceil(rows / floor(lanes / columns)) where several fit side by side,
/// rows · ceil(columns / lanes) else; ceil(rows / lanes) · columns where the rows are on the lanes.
int64_t row_vectors(const chip::Vector& vector, const RowWork& work);
/// One pass over the rows with `alu_ops` an element, then a pipelined tree of log2(min(lanes, columns)) steps.
int64_t reduce_cycles(const VectorUnit& unit, const RowWork& work, double alu_ops = 1);

struct NormKind {
  bool centred = true;    ///< Layer, group and instance norm subtract the mean; RMS norm does not.
  bool residual = false;  ///< Adds a second input first.
};
/// The passes of the expansion, without round trips to the scratchpad: sum, difference, sum of squares, times
/// 1 / deviation, times gamma plus beta; RMS norm lacks the first two. Multiply-add is one operation.
int64_t norm_cycles(const VectorUnit& unit, const RowWork& work, const NormKind& kind);

struct SoftmaxKind {
  bool scaled = false, masked = false;  ///< One more operation an element, each.
};
/// Maximum, exponential of the difference, sum, times 1 / sum (a logarithmic softmax subtracts instead): one
/// exponential an element, one reciprocal or logarithm a row.
int64_t softmax_cycles(const VectorUnit& unit, const RowWork& work, const SoftmaxKind& kind);

/// outputs · taps operations: pooling windows (taps = window), interpolation (taps = points that are weighted).
int64_t pool_cycles(const VectorUnit& unit, int64_t outputs, int64_t taps, int64_t bytes);
int64_t resample_cycles(const VectorUnit& unit, int64_t outputs, int64_t taps, int64_t bytes);

/// Transposes, shuffles and gathers inside the scratchpad: bytes / permute_bytes_per_cycle.
int64_t permute_cycles(const VectorUnit& unit, int64_t bytes);

/// ceil(k / topk_width) rounds of comparisons over the elements, a tree at the end of each.
int64_t topk_cycles(const VectorUnit& unit, int64_t elements, int64_t k, int64_t bytes);

/// A bitonic network over an axis of `length` elements, each `inner` apart, from sorted runs of `run`: log2(part) steps
/// for each part of 2 run, 4 run … length.
struct SortWork {
  int64_t elements = 0, length = 1, run = 1, inner = 1;
  int64_t bytes = 0;
  int64_t comparisons = 1;  ///< Of an element, a step.
};
struct SortSteps {
  int64_t all = 0, far = 0;  ///< `far`: between elements of different vectors.
};
SortSteps sort_steps(const chip::Vector& vector, const SortWork& work);
/// Steps of so many comparisons an element, each waiting for the lanes' exchange; far ones pass the scratchpad once
/// more.
int64_t sort_cycles(const VectorUnit& unit, const SortWork& work);

}  // namespace hadal::rules
