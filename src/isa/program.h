// A program in memory: everything that a program file holds. docs/isa.md tells what each part means.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace hadal::isa {

inline constexpr int registers = 64;
inline constexpr int loop_depth = 8;
inline constexpr int semaphores = 64;
inline constexpr int rank_limit = 6;
inline constexpr int field_limit = 24;
inline constexpr uint8_t no_register = 255;
inline constexpr uint16_t no_view = 0xffff;  ///< An optional operand that is not given.
inline constexpr uint16_t no_chain = 0xffff;

/// Where bytes live. `shared` is the part of all scratchpads that a program joins into one space, interleaved over
/// the cores by pages; DMA reaches it over the network. `scratchpad` is the core's own.
enum class Space : uint8_t { hbm, shared, scratchpad };

inline constexpr uint64_t usual_page_bytes = 4096;

/// A range of HBM, or of the shared space, that tensors lie in. Page p of a shared region lies in core p mod cores.
enum class RegionKind : uint8_t { input, output, weight, scratch, shared };
struct Region {
  std::string name;
  RegionKind kind = RegionKind::scratch;
  uint64_t bytes = 0;
  uint64_t page_bytes = usual_page_bytes;  ///< Shared regions.
  bool operator==(const Region&) const = default;
};

/// A tensor descriptor. In HBM and shared space: extents and byte strides from `offset` in `region` (strides may be
/// 0 or negative for reads). In the scratchpad: `bytes` at `offset`, a buffer without a shape (rank 0); views of it are
/// dense.
struct TensorDescriptor {
  std::string name;
  Space space = Space::hbm;
  uint16_t region = 0;
  DType dtype = DType::f32;
  uint8_t rank = 0;
  std::array<uint32_t, rank_limit> extents{};
  std::array<int64_t, rank_limit> strides{};
  uint64_t offset = 0;
  uint64_t bytes = 0;
  bool operator==(const TensorDescriptor&) const = default;
};

/// base + scale_a * register_a + scale_b * register_b, in elements.
struct Origin {
  int32_t base = 0, scale_a = 0, scale_b = 0;
  uint8_t register_a = no_register, register_b = no_register;
  bool operator==(const Origin&) const = default;
};
/// A constant, or a register whose value is at most `size`.
struct Extent {
  uint32_t size = 0;
  uint8_t source = no_register;
  bool operator==(const Extent&) const = default;
};
/// What an instruction names: a box of a tensor. A view of a scratchpad buffer is dense in its own extents and lies at
/// the buffer's offset + ((register + ring_shift) mod slots) * slot_bytes.
struct View {
  uint16_t tensor = 0;
  uint8_t rank = 0;
  uint8_t ring_register = no_register;
  int16_t ring_shift = 0;
  uint16_t slots = 1;
  uint32_t slot_bytes = 0;
  std::array<Origin, rank_limit> origins{};
  std::array<Extent, rank_limit> extents{};
  bool operator==(const View&) const = default;
};

/// One step of a chain: an operation of chain_ops on streams 0..7, or on the results of earlier steps (8 + step).
struct ChainStep {
  uint8_t op = 0;
  std::array<uint8_t, 3> operands{};
  float alpha = 0, beta = 0;
  bool operator==(const ChainStep&) const = default;
};
/// A straight-line element-wise program; its value is its last step. It computes in f32 (floats), f64 or i64.
struct Chain {
  DType compute = DType::f32;
  uint8_t inputs = 1;
  std::vector<ChainStep> steps;
  bool operator==(const Chain&) const = default;
};
inline constexpr int chain_inputs = 8;
inline constexpr int chain_steps = 32;

/// For each output index along an axis: `taps` input indices and weights. Modes of resizing live in the compiler.
struct ResampleTable {
  std::string name;
  uint32_t taps = 1;
  std::vector<int32_t> indices;  ///< outputs * taps
  std::vector<float> weights;    ///< outputs * taps
  bool operator==(const ResampleTable&) const = default;
};

enum class Queue : uint8_t { sequencer, load, prefetch, store, matrix, vector, host };
inline constexpr int queue_count = 7;
/// Of the core's DMA.
constexpr bool is_dma(Queue queue) { return queue == Queue::load || queue == Queue::prefetch || queue == Queue::store; }

/// A counting semaphore of every core: same number, own count.
struct Semaphore {
  std::string name;
  int32_t initial = 0;
  Queue waiter = Queue::sequencer;  ///< The one queue that waits on it (sync.C2).
  bool operator==(const Semaphore&) const = default;
};

/// (semaphore, count). A signal with `everywhere` reaches that semaphore in all cores, this one included.
struct Sync {
  uint8_t id = 0;
  uint8_t count = 0;  ///< 0: not used.
  bool everywhere = false;
  bool operator==(const Sync&) const = default;
};

/// A number in an instruction: a constant, or a register.
struct Field {
  int64_t value = 0;
  bool is_register = false;
  bool operator==(const Field&) const = default;
};

enum class Opcode : uint16_t {
  // Control, done by the sequencer.
  halt,
  loop,
  end,
  let,
  // DMA.
  load = 16,
  store,
  gather,
  scatter,
  // Matrix.
  matmul = 32,
  conv,
  conv_depthwise,
  conv_transpose,
  matmul_scaled,
  // Vector.
  map = 48,
  reduce,
  arg_reduce,
  softmax,
  norm,
  pool,
  resample,
  transpose,
  topk,
  scan,
  select_along,
  sort,
  sort_pairs,
  // Any queue.
  sync = 96,
  host_call,
};

struct Instruction {
  Opcode op = Opcode::halt;
  Queue queue = Queue::sequencer;
  uint8_t predicate = no_register;  ///< Work is dropped where this register is 0; waits and signals are not.
  std::array<Sync, 3> waits{}, signals{};
  std::vector<uint16_t> operands;  ///< View numbers, in the order of the row.
  std::vector<Field> fields;       ///< In the order of the row.
  bool operator==(const Instruction&) const = default;
};

/// A register set at launch; `core_id` and `core_count` are set by the machine, others by the caller.
struct Parameter {
  std::string name;
  uint8_t destination = 0;
  int64_t minimum = 0, maximum = 0;
  bool operator==(const Parameter&) const = default;
};

/// One line of the source map: what a run of instructions stands for in the model.
struct Layer {
  std::string name, op;
  std::vector<std::string> nodes;
  uint64_t macs = 0;              ///< Useful multiply-accumulates, as the model states them.
  uint64_t compulsory_bytes = 0;  ///< Weights, model inputs and outputs that this layer must touch once.
  DType precision = DType::f32;   ///< Type of the products.
  bool operator==(const Layer&) const = default;
};

struct Count {
  uint8_t axis = 0;
  uint16_t region = 0;
  bool operator==(const Count&) const = default;
};
/// A model's input or output: bytes of a region, row-major.
struct Port {
  std::string name;
  DType dtype = DType::f32;   ///< As the model states it.
  DType stored = DType::f32;  ///< As the program holds it; the runtime converts.
  Shape shape;
  uint16_t region = 0;
  /// Of an output of which data decide how much there is: the axis along which only the first elements count, and the
  /// region whose i64 says how many.
  std::optional<Count> count = {};
  bool operator==(const Port&) const = default;
};

/// An input of the model whose values decide shapes: the program is for these values only.
struct FixedInput {
  std::string name;
  DType dtype = DType::i64;
  Shape shape;
  std::vector<uint8_t> bytes;  ///< Row-major.
  bool operator==(const FixedInput&) const = default;
};

/// An input whose value in the next run is what this one leaves in an output: numbers of both. Where they name one
/// region, of kind output, the program changes it in place; else the two regions change parts from run to run.
struct State {
  uint16_t input = 0, output = 0;
  bool operator==(const State&) const = default;
};

/// The least chip that a program runs on.
struct Limits {
  uint32_t cores = 1;
  uint64_t scratchpad_bytes = 0, shared_bytes_per_core = 0, accumulator_bytes = 0, memory_bytes = 0;
  bool vector_unit = false;
  std::vector<DType> matrix_types;
  bool operator==(const Limits&) const = default;
};

/// One constant tensor of the weight region.
struct WeightEntry {
  std::string name;
  uint64_t offset = 0;
  Bytes bytes;  ///< Empty where absent (timing needs no values).
  uint64_t size = 0;
};

struct Program {
  std::string model, chip, precision;  ///< For the report; nothing depends on them.
  Limits limits;
  std::vector<Parameter> parameters;
  std::vector<Region> regions;
  std::vector<TensorDescriptor> tensors;
  std::vector<View> views;
  std::vector<Chain> chains;
  std::vector<ResampleTable> tables;
  std::vector<std::string> functions;  ///< Host functions that host_call names.
  std::vector<Semaphore> semaphores;
  std::vector<Instruction> code;
  std::vector<uint32_t> source;  ///< Layer of each instruction.
  std::vector<std::string>
      lines;  ///< Of the source text, "matmul.py:12", for each instruction; empty where none has one.
  std::vector<Layer> layers;
  std::vector<Port> inputs, outputs;
  std::vector<FixedInput> fixed;
  std::vector<State> states;
  std::vector<WeightEntry> weights;  ///< Ascending offsets in the region of kind weight.

  /// Whether a run finds in the region what the last one left.
  [[nodiscard]] bool keeps(uint16_t region) const {
    return std::ranges::any_of(states, [&](const State& state) {
      return state.input < inputs.size() && inputs[state.input].region == region &&  //
             state.output < outputs.size() && outputs[state.output].region == region;
    });
  }
};

}  // namespace hadal::isa
