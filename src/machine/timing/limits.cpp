#include "machine/timing/limits.h"

#include "rules/matrix.h"

namespace hadal::machine {

namespace {

Status enough(const chip::Chip& chip, std::string_view what, uint64_t needed, int64_t present) {
  if (needed <= static_cast<uint64_t>(present)) return {};
  return Error{fmt::format("limits.{}", what),
               fmt::format("the program needs {} {}, {} has {}", needed, what, chip.name, present),
               {},
               "compile the model for this chip"};
}

}  // namespace

Status meets_limits(const isa::Program& program, const chip::Chip& chip) {
  const isa::Limits& limits = program.limits;
  HADAL_CHECK(enough(chip, "cores", limits.cores, chip.cores));
  HADAL_CHECK(
      enough(chip, "scratchpad_bytes", limits.scratchpad_bytes + limits.shared_bytes_per_core, chip.scratchpad.bytes));
  HADAL_CHECK(enough(chip, "accumulator_bytes", limits.accumulator_bytes, chip.scratchpad.accumulator_bytes));
  HADAL_CHECK(enough(chip, "memory_bytes", limits.memory_bytes, chip.memory.bytes));
  HADAL_CHECK(enough(chip, "vector_lanes", limits.vector_unit ? 1 : 0, chip.vector.lanes));
  for (const DType type : limits.matrix_types)
    if (!rules::supports(chip.matrix, type))
      return Error{"limits.matrix_types",
                   fmt::format("the program multiplies {}, which {} does not", name_of(type), chip.name),
                   {},
                   "compile the model for this chip, or with another precision"};
  return {};
}

}  // namespace hadal::machine
