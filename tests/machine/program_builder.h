// Programs made by hand, for tests of the machines.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isa/program.h"
#include "isa/table.h"

namespace hadal::machine {

class ProgramBuilder {
 public:
  using Fields = std::vector<std::pair<std::string_view, int64_t>>;

  ProgramBuilder() {
    program.model = "test";
    program.layers.push_back({"layer", "Test", {}, 0, 0, DType::f32});
    program.limits.cores = 1;
    program.limits.accumulator_bytes = 16 << 20;
    program.limits.scratchpad_bytes = 64 << 20;
    program.limits.vector_unit = true;
  }

  /// Tensors of memory, dense; each in a region of its own, inputs and outputs with their ports.
  uint16_t input(DType dtype, const Shape& shape) {
    const uint16_t region = add_region("input", isa::RegionKind::input, dtype, shape);
    program.inputs.push_back({"input", dtype, dtype, shape, region});
    return tensor(isa::Space::hbm, region, dtype, shape);
  }
  uint16_t output(DType dtype, const Shape& shape) {
    const uint16_t region = add_region("output", isa::RegionKind::output, dtype, shape);
    program.outputs.push_back({"output", dtype, dtype, shape, region});
    return tensor(isa::Space::hbm, region, dtype, shape);
  }
  uint16_t scratch(DType dtype, const Shape& shape) {
    return tensor(isa::Space::hbm, add_region("scratch", isa::RegionKind::scratch, dtype, shape), dtype, shape);
  }
  uint16_t weight(const Tensor& value) {
    const uint16_t region = weight_region();
    isa::Region& whole = program.regions[region];
    const uint64_t offset = whole.bytes;
    whole.bytes += (value.bytes.view.size() + 63) / 64 * 64;
    program.weights.push_back(
        {"weight" + std::to_string(program.weights.size()), offset, value.bytes, value.bytes.view.size()});
    const uint16_t number = tensor(isa::Space::hbm, region, value.dtype, value.shape);
    program.tensors[number].offset = offset;
    return number;
  }
  /// A buffer of the scratchpad.
  uint16_t buffer(DType dtype, const Shape& shape, uint64_t slots = 1) {
    isa::TensorDescriptor t;
    t.name = "buffer" + std::to_string(program.tensors.size());
    t.space = isa::Space::scratchpad;
    t.dtype = dtype;
    t.offset = scratchpad_;
    t.bytes = static_cast<uint64_t>(elements(shape) * bytes_of(dtype)) * slots;
    scratchpad_ += (t.bytes + 63) / 64 * 64;
    program.tensors.push_back(t);
    return static_cast<uint16_t>(program.tensors.size() - 1);
  }

  /// A box of a tensor; origins are constants.
  uint16_t view(uint16_t tensor_number, const Shape& extents, const std::vector<int32_t>& origins = {}) {
    isa::View v;
    v.tensor = tensor_number;
    v.rank = static_cast<uint8_t>(extents.size());
    for (size_t i = 0; i < extents.size(); ++i) v.extents[i].size = static_cast<uint32_t>(extents[i]);
    for (size_t i = 0; i < origins.size(); ++i) v.origins[i].base = origins[i];
    program.views.push_back(v);
    return static_cast<uint16_t>(program.views.size() - 1);
  }
  /// Of a tensor of memory: all of it.
  uint16_t whole(uint16_t tensor_number) {
    const isa::TensorDescriptor& t = program.tensors[tensor_number];
    return view(tensor_number, Shape(t.extents.begin(), t.extents.begin() + t.rank));
  }

  /// Appends an instruction; operands and fields that are left out take the table's defaults.
  isa::Instruction& add(isa::Opcode op, const std::vector<uint16_t>& views = {}, const Fields& fields = {}) {
    const isa::Row& row = *isa::row_of(op);
    isa::Instruction in;
    in.op = op;
    for (int q = 0; q < isa::queue_count; ++q)
      if ((row.queues >> q & 1) != 0) {
        in.queue = static_cast<isa::Queue>(q);
        break;
      }
    in.operands = views;
    in.operands.resize(row.operand_count(), isa::no_view);
    for (size_t i = 0; i < row.field_count(); ++i) {
      const auto given =
          std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == row.fields[i].name; });
      in.fields.push_back({given == fields.end() ? row.fields[i].otherwise : given->second, false});
    }
    program.code.push_back(in);
    program.source.push_back(0);
    return program.code.back();
  }
  /// Loads a tensor of memory into a buffer of its own, and gives a view of it there.
  uint16_t load(uint16_t tensor_number) {
    const isa::TensorDescriptor t = program.tensors[tensor_number];
    const Shape shape(t.extents.begin(), t.extents.begin() + t.rank);
    const uint16_t to = view(buffer(t.dtype, shape), shape);
    add(isa::Opcode::load, {to, whole(tensor_number)});
    return to;
  }

  uint8_t semaphore(int32_t initial, isa::Queue waiter) {
    program.semaphores.push_back({"semaphore" + std::to_string(program.semaphores.size()), initial, waiter});
    return static_cast<uint8_t>(program.semaphores.size() - 1);
  }

  /// Steps as (operation, operands, alpha, beta); operands 0 to 7 are streams, 8 and on earlier steps.
  struct Step {
    std::string_view op;
    std::array<uint8_t, 3> operands{};
    float alpha = 0, beta = 0;
  };
  int64_t chain(DType compute, uint8_t inputs, const std::vector<Step>& steps) {
    isa::Chain c{compute, inputs, {}};
    for (const Step& s : steps) c.steps.push_back({*isa::chain_op_named(s.op), s.operands, s.alpha, s.beta});
    program.chains.push_back(c);
    return static_cast<int64_t>(program.chains.size() - 1);
  }

  /// The program, ended by `halt`. The builder is done with.
  isa::Program finish() {
    add(isa::Opcode::halt);
    return std::move(program);
  }

  isa::Program program;

 private:
  uint16_t add_region(const std::string& name, isa::RegionKind kind, DType dtype, const Shape& shape) {
    program.regions.push_back({name + std::to_string(program.regions.size()), kind,
                               static_cast<uint64_t>(elements(shape) * bytes_of(dtype))});
    return static_cast<uint16_t>(program.regions.size() - 1);
  }
  uint16_t weight_region() {
    for (size_t i = 0; i < program.regions.size(); ++i)
      if (program.regions[i].kind == isa::RegionKind::weight) return static_cast<uint16_t>(i);
    return add_region("weights", isa::RegionKind::weight, DType::u8, {0});
  }
  uint16_t tensor(isa::Space space, uint16_t region, DType dtype, const Shape& shape) {
    isa::TensorDescriptor t;
    t.name = "tensor" + std::to_string(program.tensors.size());
    t.space = space;
    t.region = region;
    t.dtype = dtype;
    t.rank = static_cast<uint8_t>(shape.size());
    int64_t stride = bytes_of(dtype);
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
      t.extents[i] = static_cast<uint32_t>(shape[i]);
      t.strides[i] = stride;
    }
    t.bytes = static_cast<uint64_t>(stride);
    program.tensors.push_back(t);
    return static_cast<uint16_t>(program.tensors.size() - 1);
  }

  uint64_t scratchpad_ = 0;
};

}  // namespace hadal::machine
