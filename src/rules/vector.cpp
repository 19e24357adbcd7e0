#include "rules/vector.h"

#include <algorithm>
#include <bit>

#include "rules/cycles.h"

namespace hadal::rules {

namespace {

/// One pass over `vectors` full vectors: the slower of the two kinds of operation, which issue side by side.
double pass(const chip::Vector& vector, double vectors, double alu_ops, double special_ops) {
  return vectors * std::max(alu_ops / vector.alu_per_lane, special_ops / vector.special_per_lane);
}

/// Not before the port has passed the bytes, and the pipeline's depth at the end.
int64_t finish(const VectorUnit& unit, double cycles, int64_t bytes) {
  if (unit.vector.lanes <= 0) return forever;
  const double port = bytes > 0 ? static_cast<double>(bytes) / unit.port_bytes_per_cycle : 0;
  return whole_cycles(std::max(cycles, port)) + unit.vector.latency_cycles;
}

/// Latency of one tree over the lanes that hold a row.
double tree(const chip::Vector& vector, const RowWork& work) {
  if (!work.across_lanes) return 0;
  const auto width = static_cast<uint64_t>(std::max<int64_t>(1, std::min(vector.lanes, work.columns)));
  return static_cast<double>(std::bit_width(width - 1) * vector.cross_lane_latency_cycles);
}

/// A reciprocal, root or logarithm of each row's statistic, as many side by side as there are lanes.
double special_per_row(const chip::Vector& vector, const RowWork& work) {
  return vector.lanes > 0 ? pass(vector, static_cast<double>(ceil_div(work.rows, vector.lanes)), 0, 1) : 0;
}

bool is_empty(const RowWork& work) { return work.rows <= 0 || work.columns <= 0; }

/// outputs · taps simple operations.
int64_t windows(const VectorUnit& unit, int64_t outputs, int64_t taps, int64_t bytes) {
  return vector_cycles(unit, {.elements = outputs, .alu_ops = static_cast<double>(taps), .bytes = bytes});
}

}  // namespace

VectorUnit vector_unit(const chip::Chip& chip) { return {chip.vector, chip.scratchpad.bytes_per_cycle}; }

int64_t vector_cycles(const VectorUnit& unit, const MapWork& work) {
  if (work.elements <= 0) return 0;
  if (unit.vector.lanes <= 0) return forever;
  const auto vectors = static_cast<double>(ceil_div(work.elements, unit.vector.lanes));
  return finish(unit, pass(unit.vector, vectors, work.alu_ops, work.special_ops), work.bytes);
}

int64_t row_vectors(const chip::Vector& vector, const RowWork& work) {
  if (is_empty(work)) return 0;
  if (vector.lanes <= 0) return forever;
  double vectors = 0;
  if (!work.across_lanes)
    vectors = static_cast<double>(ceil_div(work.rows, vector.lanes)) * static_cast<double>(work.columns);
  else if (work.columns <= vector.lanes)
    vectors = static_cast<double>(ceil_div(work.rows, vector.lanes / work.columns));
  else
    vectors = static_cast<double>(work.rows) * static_cast<double>(ceil_div(work.columns, vector.lanes));
  return whole_cycles(vectors);
}

int64_t reduce_cycles(const VectorUnit& unit, const RowWork& work, double alu_ops) {
  if (is_empty(work)) return 0;
  const auto vectors = static_cast<double>(row_vectors(unit.vector, work));
  return finish(unit, pass(unit.vector, vectors, alu_ops, 0) + tree(unit.vector, work), work.bytes);
}

int64_t norm_cycles(const VectorUnit& unit, const RowWork& work, const NormKind& kind) {
  if (is_empty(work)) return 0;
  const auto vectors = static_cast<double>(row_vectors(unit.vector, work));
  const double alu_ops = (kind.centred ? 5 : 3) + (kind.residual ? 1 : 0);
  const double trees = kind.centred ? 2 : 1;
  const double cycles = pass(unit.vector, vectors, alu_ops, 0) + special_per_row(unit.vector, work);
  return finish(unit, cycles + trees * tree(unit.vector, work), work.bytes);
}

int64_t softmax_cycles(const VectorUnit& unit, const RowWork& work, const SoftmaxKind& kind) {
  if (is_empty(work)) return 0;
  const auto vectors = static_cast<double>(row_vectors(unit.vector, work));
  const double maximum = 1 + (kind.scaled ? 1 : 0) + (kind.masked ? 1 : 0);
  const double cycles = pass(unit.vector, vectors, maximum, 0) +  // Maximum, scaled and masked before.
                        pass(unit.vector, vectors, 1, 1) +        // Exponential of the difference.
                        pass(unit.vector, vectors, 1, 0) +        // Sum.
                        pass(unit.vector, vectors, 1, 0);         // Times 1 / sum.
  return finish(unit, cycles + special_per_row(unit.vector, work) + 2 * tree(unit.vector, work), work.bytes);
}

int64_t pool_cycles(const VectorUnit& unit, int64_t outputs, int64_t taps, int64_t bytes) {
  return windows(unit, outputs, taps, bytes);
}

int64_t resample_cycles(const VectorUnit& unit, int64_t outputs, int64_t taps, int64_t bytes) {
  return windows(unit, outputs, taps, bytes);
}

int64_t permute_cycles(const VectorUnit& unit, int64_t bytes) {
  if (bytes <= 0) return 0;
  return finish(unit, static_cast<double>(bytes) / unit.vector.permute_bytes_per_cycle, bytes);
}

int64_t topk_cycles(const VectorUnit& unit, int64_t elements, int64_t k, int64_t bytes) {
  if (elements <= 0 || k <= 0) return 0;
  if (unit.vector.lanes <= 0) return forever;
  const double rounds = std::ceil(static_cast<double>(k) / unit.vector.topk_width);
  const auto vectors = static_cast<double>(ceil_div(elements, unit.vector.lanes));
  const RowWork row{.rows = 1, .columns = elements};
  return finish(unit, rounds * (vectors / unit.vector.compare_per_lane + tree(unit.vector, row)), bytes);
}

SortSteps sort_steps(const chip::Vector& vector, const SortWork& work) {
  SortSteps steps;
  for (int64_t part = 2 * work.run; part <= work.length; part *= 2)
    for (int64_t distance = part / 2; distance > 0; distance /= 2) {
      ++steps.all;
      steps.far += 2 * distance * work.inner > vector.lanes ? 1 : 0;
    }
  return steps;
}

int64_t sort_cycles(const VectorUnit& unit, const SortWork& work) {
  if (work.elements <= 0) return 0;
  if (unit.vector.lanes <= 0) return forever;
  const SortSteps steps = sort_steps(unit.vector, work);
  const auto vectors = static_cast<double>(work.comparisons * ceil_div(work.elements, unit.vector.lanes));
  const double step =
      std::max(vectors / unit.vector.compare_per_lane, static_cast<double>(unit.vector.cross_lane_latency_cycles));
  return finish(unit, static_cast<double>(steps.all) * step, work.bytes * (1 + steps.far));
}

}  // namespace hadal::rules
