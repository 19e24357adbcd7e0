// Small programs and a chip whose every number divides the others, for tests of timing.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "chip/chip.h"
#include "isa/fields.h"
#include "isa/table.h"
#include "machine/timing/run.h"

namespace hadal::machine {

/// 1 GHz, so that cycles are nanoseconds. Memory: 4 channels of 16 bytes a cycle, 100 cycles away; a port of 64 bytes a
/// cycle. Array 16x16. Code arrives at once, and a launch takes nothing.
inline chip::Chip small_chip() {
  chip::Chip chip;
  chip.name = "small";
  chip.clock.hertz = 1e9;
  chip.matrix.rows = chip.matrix.columns = 16;
  chip.matrix.rows_per_cycle = {{DType::bf16, 1}};
  chip.matrix.weight_rows_per_cycle = 2;
  chip.matrix.dataflow = "weight-stationary";
  chip.matrix.output_elements_per_cycle = 16;
  chip.vector.lanes = 16;
  chip.vector.latency_cycles = 4;
  chip.vector.permute_bytes_per_cycle = 16;
  chip.scratchpad.bytes = 1 << 20;
  chip.scratchpad.bytes_per_cycle = 1024;
  chip.scratchpad.accumulator_bytes = 1 << 16;
  chip.scratchpad.accumulator_tiles = 2;
  chip.sequencer = {.issue_cycles = 1,
                    .let_cycles = 1,
                    .queue_depth = 16,
                    .instruction_buffer_bytes = 1 << 16,
                    .fetch_bytes_per_cycle = 1e12,
                    .fetch_latency_cycles = 0,
                    .signal_latency_cycles = 2};
  chip.dma = {
      .issue_cycles = 10, .outstanding = 4, .bytes_per_cycle = 64, .convert_bytes_per_cycle = 32, .burst_bytes = 64};
  chip.network.topology = "none";
  chip.memory = {.kind = "test",
                 .bytes = 1 << 30,
                 .bytes_per_second = 64e9,
                 .channels = 4,
                 .interleave_bytes = 64,
                 .latency_femtoseconds = 100'000'000,
                 .efficiency = 1};
  chip.host = {.name = "test",
               .bytes_per_second = 1e9,
               .link_latency_femtoseconds = 0,
               .launch_femtoseconds = 0,
               .operations_per_second = 1e9,
               .memory_bytes_per_second = 1e12};
  return chip;
}

/// The same with `x` times `y` cores on a mesh of 64-byte links, 1 cycle a hop.
inline chip::Chip mesh_chip(int64_t x, int64_t y) {
  chip::Chip chip = small_chip();
  chip.cores = x * y;
  chip.network = {.topology = "mesh", .x = x, .y = y, .link_bytes_per_cycle = 64, .hop_cycles = 1};
  return chip;
}

struct Syncs {
  std::initializer_list<isa::Sync> waits = {}, signals = {};
};

/// Writes programs of one layer, until `layer` begins another.
struct Builder {
  isa::Program program;
  uint64_t next_tile = 0;

  Builder() {
    program.model = program.chip = "test";
    program.limits.accumulator_bytes = 1 << 16;
    program.regions.push_back({"memory", isa::RegionKind::scratch, 1 << 28});
    program.regions.push_back({"pages", isa::RegionKind::shared, 1 << 20});
    layer("first");
  }
  void layer(const std::string& name) { program.layers.push_back({.name = name, .op = "test", .nodes = {}}); }

  uint8_t semaphore(const std::string& name, isa::Queue waiter, int32_t initial = 0) {
    program.semaphores.push_back({name, initial, waiter});
    return static_cast<uint8_t>(program.semaphores.size() - 1);
  }
  uint16_t tile(DType type, uint64_t bytes) {
    program.tensors.push_back(
        {.name = "tile", .space = isa::Space::scratchpad, .dtype = type, .offset = next_tile, .bytes = bytes});
    next_tile += bytes;
    return static_cast<uint16_t>(program.tensors.size() - 1);
  }
  /// A row-major tensor in memory (or the shared space), `offset` bytes from the region's start.
  uint16_t tensor(DType type, std::initializer_list<uint32_t> extents, uint64_t offset = 0,
                  isa::Space space = isa::Space::hbm) {
    isa::TensorDescriptor t{.name = "tensor",
                            .space = space,
                            .region = static_cast<uint16_t>(space == isa::Space::shared ? 1 : 0),
                            .dtype = type,
                            .rank = static_cast<uint8_t>(extents.size()),
                            .offset = offset};
    std::copy(extents.begin(), extents.end(), t.extents.begin());
    int64_t stride = bytes_of(type);
    for (size_t i = t.rank; i-- > 0; stride *= t.extents[i]) t.strides[i] = stride;
    t.bytes = static_cast<uint64_t>(stride);
    program.tensors.push_back(t);
    return static_cast<uint16_t>(program.tensors.size() - 1);
  }
  uint16_t view(uint16_t of, std::initializer_list<uint32_t> extents, std::initializer_list<int32_t> origins = {}) {
    isa::View v{.tensor = of, .rank = static_cast<uint8_t>(extents.size())};
    for (size_t i = 0; i < extents.size(); ++i) v.extents[i].size = extents.begin()[i];
    for (size_t i = 0; i < origins.size(); ++i) v.origins[i].base = origins.begin()[i];
    program.views.push_back(v);
    return static_cast<uint16_t>(program.views.size() - 1);
  }

  /// Any instruction, its fields as the table leaves them out. Returns it, to be changed until the next.
  isa::Instruction& add(isa::Opcode op, isa::Queue queue, std::initializer_list<uint16_t> operands,
                        const Syncs& syncs = {}) {
    const isa::Row& row = *isa::row_of(op);
    isa::Instruction in{.op = op, .queue = queue, .operands = operands, .fields = {}};
    in.operands.resize(row.operand_count(), isa::no_view);
    for (size_t i = 0; i < row.field_count(); ++i) in.fields.push_back({row.fields[i].otherwise, false});
    std::copy(syncs.waits.begin(), syncs.waits.end(), in.waits.begin());
    std::copy(syncs.signals.begin(), syncs.signals.end(), in.signals.begin());
    program.code.push_back(in);
    program.source.push_back(static_cast<uint32_t>(program.layers.size() - 1));
    return program.code.back();
  }
  /// A dense copy of `bytes` bytes at `offset` of memory.
  isa::Instruction& load(uint32_t bytes, uint64_t offset = 0, const Syncs& syncs = {},
                         isa::Queue queue = isa::Queue::load) {
    return add(isa::Opcode::load, queue,
               {view(tile(DType::u8, bytes), {bytes}), view(tensor(DType::u8, {bytes}, offset), {bytes})}, syncs);
  }
  isa::Instruction& store(uint32_t bytes, uint64_t offset = 0, const Syncs& syncs = {}) {
    return add(isa::Opcode::store, isa::Queue::store,
               {view(tensor(DType::u8, {bytes}, offset), {bytes}), view(tile(DType::u8, bytes), {bytes})}, syncs);
  }
  isa::Instruction& matmul(uint32_t m, uint32_t k, uint32_t n, bool emit = true, const Syncs& syncs = {}) {
    const uint16_t out = tile(DType::bf16, 1 << 16), a = tile(DType::bf16, 1 << 16), b = tile(DType::bf16, 1 << 16);
    isa::Instruction& in = add(isa::Opcode::matmul, isa::Queue::matrix,
                               {view(out, {1, m, n}), view(a, {1, m, k}), view(b, {1, k, n})}, syncs);
    in.fields[isa::at::emit].value = emit ? 1 : 0;
    return in;
  }
  /// An addition of `elements` f32: elements / 16 cycles on the lanes, and 4.
  isa::Instruction& map(uint32_t elements, const Syncs& syncs = {}) {
    if (program.chains.empty())
      program.chains.push_back({.inputs = 1, .steps = {{.op = *isa::chain_op_named("neg"), .operands = {0, 0, 0}}}});
    const uint16_t buffer = tile(DType::f32, elements * 4);
    isa::Instruction& in =
        add(isa::Opcode::map, isa::Queue::vector, {view(buffer, {elements}), view(buffer, {elements})}, syncs);
    in.fields[isa::at::map_chain].value = 0;
    return in;
  }
  isa::Instruction& sync(isa::Queue queue, const Syncs& syncs) { return add(isa::Opcode::sync, queue, {}, syncs); }
  void loop(uint8_t index, int64_t count) {
    isa::Instruction& in = add(isa::Opcode::loop, isa::Queue::sequencer, {});
    in.fields = {{index, false}, {count, false}, {count, false}};
  }
  void end() { add(isa::Opcode::end, isa::Queue::sequencer, {}); }
  void let(uint8_t target, int64_t value) {
    isa::Instruction& in = add(isa::Opcode::let, isa::Queue::sequencer, {});
    in.fields = {{target, false}, {0, false}, {value, false}, {0, false}};
  }
  const isa::Program& done() {
    if (program.code.empty() || program.code.back().op != isa::Opcode::halt)
      add(isa::Opcode::halt, isa::Queue::sequencer, {});
    return program;
  }
};

/// Times it; a program that fails fails the test.
inline Timing timed(Builder& builder, const chip::Chip& chip, std::vector<Slice>* slices = nullptr) {
  auto timing = time_program(builder.done(), chip, {.slices = slices});
  EXPECT_TRUE(timing.ok()) << (timing.ok() ? "" : timing.error().text());
  return timing.ok() ? *timing : Timing{};
}
inline int64_t cycles_of(Builder& builder, const chip::Chip& chip) { return timed(builder, chip).cycles; }

}  // namespace hadal::machine
