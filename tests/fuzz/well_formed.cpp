#include "fuzz/well_formed.h"

#include <algorithm>
#include <utility>

#include "base/result.h"
#include "fuzz/well_formed_unit.h"
#include "isa/canonical.h"
#include "isa/fields.h"

namespace hadal::fuzz {

namespace {

constexpr size_t most_semaphores_a_unit = 26;

/// Opcodes of instructions that have a rule of shapes.
std::vector<isa::Opcode> drawn_opcodes() {
  std::vector<isa::Opcode> opcodes;
  for (const isa::Row& row : isa::table()) {
    Random random(0);
    machine::ProgramBuilder builder;
    Source source{random, builder};
    if (draw(row.op, source)) opcodes.push_back(row.op);
  }
  return opcodes;
}

/// The least chip that the program runs on.
void set_limits(isa::Program& program, int64_t cores) {
  isa::Limits& limits = program.limits;
  limits = {};
  limits.cores = static_cast<uint32_t>(cores);
  limits.accumulator_bytes = 1 << 18;
  limits.vector_unit = true;
  for (const isa::TensorDescriptor& tensor : program.tensors)
    if (tensor.space == isa::Space::scratchpad)
      limits.scratchpad_bytes = std::max(limits.scratchpad_bytes, tensor.offset + tensor.bytes);
  for (const isa::Region& region : program.regions)
    (region.kind == isa::RegionKind::shared ? limits.shared_bytes_per_core : limits.memory_bytes) += region.bytes;
  for (const isa::Instruction& in : program.code) {
    if (in.queue != isa::Queue::matrix || in.operands.empty()) continue;
    for (const size_t operand : {isa::at::a, isa::at::b}) {
      const DType type = program.tensors[program.views[in.operands[operand]].tensor].dtype;
      if (!std::ranges::count(limits.matrix_types, type)) limits.matrix_types.push_back(type);
    }
  }
}

}  // namespace

WellFormed well_formed(uint64_t seed) {
  static const std::vector<isa::Opcode> opcodes = drawn_opcodes();
  Random random(seed);
  Making making{random, {}, {}, {}, random.pick<int64_t>({1, 1, 1, 2, 3, 4}), opcodes};
  isa::Program& program = making.builder.program;
  program.layers.clear();
  program.parameters.push_back({"core_id", core_id, 0, making.cores - 1});
  for (int64_t units = random.pick<int64_t>({1, 1, 1, 2, 2, 3}); units > 0; --units) {
    if (program.semaphores.size() + most_semaphores_a_unit > isa::semaphores) break;
    const auto layer = static_cast<uint32_t>(program.layers.size());
    program.layers.push_back({fmt::format("unit{}", layer), "unit", {}, 0, 0, DType::f32});
    make_unit(making, layer);
  }
  WellFormed made{making.builder.finish(), std::move(making.inputs), std::move(making.bounds)};
  set_limits(made.program, making.cores);
  isa::canonicalise(made.program);
  return made;
}

}  // namespace hadal::fuzz
