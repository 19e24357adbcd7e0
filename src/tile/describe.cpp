#include "tile/describe.h"

#include <algorithm>
#include <utility>

#include "tile/registers.h"

namespace hadal::tile {

void describe(const Program& in, const Target& target, const Placement& placement, isa::Program& out) {
  out.model = in.model;
  out.chip = in.chip;
  out.precision = in.precision;
  out.chains = in.chains;
  out.tables = in.tables;
  out.functions = in.functions;
  out.regions = placement.regions;
  for (const Tensor& tensor : in.tensors) {
    const auto s = static_cast<size_t>(tensor.storage);
    isa::TensorDescriptor d;
    d.name = tensor.name;
    d.region = placement.region[s];
    d.space = out.regions[d.region].kind == isa::RegionKind::shared ? isa::Space::shared : isa::Space::hbm;
    d.dtype = tensor.dtype;
    d.rank = static_cast<uint8_t>(tensor.extents.size());
    for (size_t i = 0; i < tensor.extents.size(); ++i) {
      d.extents[i] = static_cast<uint32_t>(tensor.extents[i]);
      d.strides[i] = tensor.strides[i];
    }
    d.offset = placement.offset[s] + static_cast<uint64_t>(tensor.offset);
    out.tensors.push_back(std::move(d));
  }
  for (size_t r = 0; r < in.rings.size(); ++r)
    for (int t = 0; t < dtype_count; ++t) {
      isa::TensorDescriptor d;
      d.name = fmt::format("{}.{}", in.rings[r].name, name_of(static_cast<DType>(t)));
      d.space = isa::Space::scratchpad;
      d.dtype = static_cast<DType>(t);
      d.offset = placement.ring_offset[r];
      d.bytes = placement.slot_bytes[r] * static_cast<uint64_t>(placement.slots[r]);
      out.tensors.push_back(std::move(d));
    }
  const auto ports = [&](const std::vector<isa::Port>& from, std::vector<isa::Port>& to) {
    for (isa::Port port : from) {
      port.region = placement.region[port.region];
      if (port.count) port.count->region = placement.region[port.count->region];
      to.push_back(std::move(port));
    }
  };
  ports(in.inputs, out.inputs);
  ports(in.outputs, out.outputs);
  out.states = in.states;
  out.weights = in.weights;
  for (const Phase& phase : in.phases) out.layers.push_back(phase.layer);
  out.parameters.push_back({"core_id", core_register, 0, target.cores - 1});
  out.limits.cores = static_cast<uint32_t>(target.cores);
  out.limits.scratchpad_bytes = placement.scratchpad_bytes;
  out.limits.shared_bytes_per_core = placement.shared_bytes_per_core;
  out.limits.memory_bytes = placement.memory_bytes;
  out.limits.accumulator_bytes = static_cast<uint64_t>(target.accumulator_bytes);
}

void drop_unseen(isa::Program& program) {
  std::vector<bool> seen(program.tensors.size());
  for (const isa::View& view : program.views) seen[view.tensor] = true;
  std::vector<uint16_t> number(program.tensors.size());
  std::vector<isa::TensorDescriptor> kept;
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    number[t] = static_cast<uint16_t>(kept.size());
    if (seen[t] || program.tensors[t].space != isa::Space::scratchpad) kept.push_back(std::move(program.tensors[t]));
  }
  program.tensors = std::move(kept);
  for (isa::View& view : program.views) view.tensor = number[view.tensor];
}

void state_needs(isa::Program& program) {
  std::vector<DType>& types = program.limits.matrix_types;
  for (const isa::Instruction& in : program.code) {
    program.limits.vector_unit |= in.queue == isa::Queue::vector && in.op != isa::Opcode::sync;
    if (in.queue != isa::Queue::matrix || in.op == isa::Opcode::sync) continue;
    for (const size_t operand : {isa::at::a, isa::at::b}) {
      const DType type = program.tensors[program.views[in.operands[operand]].tensor].dtype;
      if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
    }
  }
  std::sort(types.begin(), types.end());
}

}  // namespace hadal::tile
