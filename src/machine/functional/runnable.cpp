#include "machine/functional/runnable.h"

#include <algorithm>

#include "isa/check.h"

namespace hadal::machine {

namespace {

/// Errors: region.C2, an instruction that writes inputs or weights.
Status check_written(const isa::Program& program) {
  for (size_t i = 0; i < program.code.size(); ++i) {
    const isa::Instruction& in = program.code[i];
    const isa::Row* row = isa::row_of(in.op);
    for (size_t operand = 0; operand < in.operands.size(); ++operand) {
      if (in.operands[operand] == isa::no_view || !row->operands[operand].written) continue;
      const isa::TensorDescriptor& tensor = program.tensors[program.views[in.operands[operand]].tensor];
      if (tensor.space == isa::Space::scratchpad) continue;
      const isa::RegionKind kind = program.regions[tensor.region].kind;
      if (kind == isa::RegionKind::input || kind == isa::RegionKind::weight)
        return Error{"region.C2",
                     fmt::format("`{}` writes {}, which lies in inputs or weights", row->name, printable(tensor.name)),
                     isa::place_of(program, i)};
    }
  }
  return {};
}

}  // namespace

Status check_runnable(const isa::Program& program, int64_t cores) {
  if (cores < static_cast<int64_t>(std::max<uint32_t>(program.limits.cores, 1)))
    return Error{"run.cores",
                 fmt::format("the program needs {} cores; the machine has {}", program.limits.cores, cores)};
  return check_written(program);
}

}  // namespace hadal::machine
