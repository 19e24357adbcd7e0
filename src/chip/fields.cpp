#include "chip/fields.h"

#include <cmath>

namespace hadal::chip {

namespace {

// A field's place in the Chip; the one macro, since members of members have no pointer.
#define AT(place) +[](Chip& chip) -> auto& { return chip.place; }

constexpr double most = 1e15;  // Where nature sets no limit: above any machine, below where doubles lose integers.
constexpr Unit number = Unit::number, cycles = Unit::cycles, bytes = Unit::bytes, width = Unit::bytes_per_cycle,
               bandwidth = Unit::bytes_per_second, time = Unit::seconds;

const Field table[] = {
    {"name", AT(name), number, 0, 0, "Name of the chip, as reports print it."},
    {"summary", AT(summary), number, 0, 0, "One line about it."},
    {"cores", AT(cores), number, 1, 65536, "Cores: each has a sequencer, engines and a scratchpad."},
    {"clock", AT(clock.hertz), Unit::hertz, 1e6, 1e11, "Clock of the cores and of the network between them."},
    {"idle_watts", AT(idle_watts), Unit::watts, 0, 1e6, "Power at rest; 0 where unknown.", Need::optional},
    {"peak_watts", AT(peak_watts), Unit::watts, 0, 1e6, "Power at full load; 0 where unknown.", Need::optional},

    {"matrix.count", AT(matrix.count), number, 1, 64, "Arrays a core, sharing the passes of one instruction."},
    {"matrix.rows", AT(matrix.rows), number, 1, 65536, "Rows of an array: they take the contraction."},
    {"matrix.columns", AT(matrix.columns), number, 1, 65536, "Columns of an array: they take the output channels."},
    {"matrix.rows_per_cycle.f32", AT(matrix.rows_per_cycle[DType::f32]), number, 1e-6, 1024,
     "Activation rows entering a pass each cycle, native f32 operands. Refused where f32_passes gives the rate.",
     Need::optional},
    {"matrix.rows_per_cycle.f16", AT(matrix.rows_per_cycle[DType::f16]), number, 1e-6, 1024, "The same, f16 operands.",
     Need::optional},
    {"matrix.rows_per_cycle.bf16", AT(matrix.rows_per_cycle[DType::bf16]), number, 1e-6, 1024,
     "The same, bf16 operands.", Need::optional},
    {"matrix.rows_per_cycle.f8e4m3", AT(matrix.rows_per_cycle[DType::f8e4m3]), number, 1e-6, 1024,
     "The same, f8e4m3 operands.", Need::optional},
    {"matrix.rows_per_cycle.f8e5m2", AT(matrix.rows_per_cycle[DType::f8e5m2]), number, 1e-6, 1024,
     "The same, f8e5m2 operands.", Need::optional},
    {"matrix.rows_per_cycle.i8", AT(matrix.rows_per_cycle[DType::i8]), number, 1e-6, 1024, "The same, i8 operands.",
     Need::optional},
    {"matrix.rows_per_cycle.u8", AT(matrix.rows_per_cycle[DType::u8]), number, 1e-6, 1024, "The same, u8 operands.",
     Need::optional},
    {"matrix.f32_passes", AT(matrix.f32_passes), number, 0, 3,
     "bf16 passes that make an f32 product: 3 keep f32 accuracy, 1 rounds the operands to bf16, 0 is native f32 or "
     "none."},
    {"matrix.weight_rows_per_cycle", AT(matrix.weight_rows_per_cycle), number, 1e-3, 65536,
     "Array rows that a weight preload fills in a cycle."},
    {"matrix.weight_buffers", AT(matrix.weight_buffers), number, 1, 2,
     "Weight registers an element: 2 hide a preload behind the pass before."},
    {"matrix.stage_cells", AT(matrix.stage_cells), number, 1, 1024,
     "Cells that activations, and sums, pass in a cycle: 1 is the classic array, more fill it faster."},
    {"matrix.dataflow", AT(matrix.dataflow), number, 0, 0, "The operand that stays in the array.", Need::always,
     "weight-stationary output-stationary"},
    {"matrix.output_elements_per_cycle", AT(matrix.output_elements_per_cycle), number, 1e-3, 1e6,
     "Accumulators leaving through the epilogue a cycle."},
    {"matrix.scale_cycles", AT(matrix.scale_cycles), number, 0, 1e6,
     "Cycles that the arrays wait between blocks of a scaled product, while the lanes scale its sums and add them.",
     Need::optional},
    {"matrix.depthwise_on_lanes", AT(matrix.depthwise_on_lanes), number, 0, 0,
     "Depthwise convolutions run on the vector lanes, else on one column of the array."},

    {"vector.lanes", AT(vector.lanes), number, 0, 1e6, "32-bit lanes a core; 0: no vector unit."},
    {"vector.alu_per_lane", AT(vector.alu_per_lane), number, 1e-3, 64,
     "Simple operations (add, multiply, multiply-add, compare) a lane a cycle.", Need::vector},
    {"vector.special_per_lane", AT(vector.special_per_lane), number, 1e-3, 64,
     "exp, log, tanh, erf, divide, square root a lane a cycle.", Need::vector},
    {"vector.latency_cycles", AT(vector.latency_cycles), cycles, 0, 1e6,
     "Depth of the pipeline, paid once an instruction.", Need::vector},
    {"vector.cross_lane_latency_cycles", AT(vector.cross_lane_latency_cycles), cycles, 0, 1e6,
     "One step of a reduction tree across lanes.", Need::vector},
    {"vector.permute_bytes_per_cycle", AT(vector.permute_bytes_per_cycle), width, 1e-3, 1e9,
     "Transposes and gathers inside the scratchpad.", Need::vector},
    {"vector.topk_width", AT(vector.topk_width), number, 1, 1024, "Largest elements kept in one round of a top-k.",
     Need::vector},
    {"vector.compare_per_lane", AT(vector.compare_per_lane), number, 1e-3, 64,
     "Comparisons of a top-k or sort a lane a cycle.", Need::vector},

    {"scratchpad.bytes", AT(scratchpad.bytes), bytes, 1024, 1e12, "Scratchpad a core."},
    {"scratchpad.banks", AT(scratchpad.banks), number, 1, 65536, "Banks that are accessed side by side."},
    {"scratchpad.bytes_per_cycle", AT(scratchpad.bytes_per_cycle), width, 1e-3, 1e9,
     "Read bandwidth that the engines of a core share, and as much for writes."},
    {"scratchpad.accumulator_bytes", AT(scratchpad.accumulator_bytes), bytes, 1024, 1e12, "Accumulator memory a core."},
    {"scratchpad.accumulator_tiles", AT(scratchpad.accumulator_tiles), number, 1, 64,
     "Accumulator tiles in use at a time: 2 overlap emitting one with computing the next."},

    {"sequencer.issue_cycles", AT(sequencer.issue_cycles), cycles, 0, 1e6,
     "Cycles to issue an instruction to a queue."},
    {"sequencer.let_cycles", AT(sequencer.let_cycles), cycles, 0, 1e6, "Cycles of a register instruction."},
    {"sequencer.queue_depth", AT(sequencer.queue_depth), number, 1, 65536,
     "Instructions a queue holds before the sequencer stalls."},
    {"sequencer.instruction_buffer_bytes", AT(sequencer.instruction_buffer_bytes), bytes, 0, 1e12,
     "Instruction buffer: a loop body that fits is fetched once."},
    {"sequencer.fetch_bytes_per_cycle", AT(sequencer.fetch_bytes_per_cycle), width, 1e-3, 1e9,
     "Stream of code from memory."},
    {"sequencer.fetch_latency_cycles", AT(sequencer.fetch_latency_cycles), cycles, 0, 1e9,
     "From a miss to the first bytes of code."},
    {"sequencer.signal_latency_cycles", AT(sequencer.signal_latency_cycles), cycles, 0, 1e9,
     "From the end of an instruction to a waiting one of the same core."},

    {"dma.issue_cycles", AT(dma.issue_cycles), cycles, 0, 1e9, "From a descriptor to its first request."},
    {"dma.outstanding", AT(dma.outstanding), number, 1, 65536, "Instructions of one queue in flight."},
    {"dma.bytes_per_cycle", AT(dma.bytes_per_cycle), width, 1e-3, 1e9, "Peak of a core's transfers, each direction."},
    {"dma.convert_bytes_per_cycle", AT(dma.convert_bytes_per_cycle), width, 1e-3, 1e9,
     "The same with a cast or a permutation on the way."},
    {"dma.burst_bytes", AT(dma.burst_bytes), bytes, 1, 65536,
     "A contiguous run moves whole bursts of this size, at both ends."},

    {"network.topology", AT(network.topology), number, 0, 0, "How cores and memory are joined.", Need::always,
     "mesh crossbar none"},
    {"network.x", AT(network.x), number, 1, 65536,
     "Columns of the mesh; x · y is the number of cores. They are numbered in blocks of four by four, the rows in the "
     "middle first.",
     Need::mesh},
    {"network.y", AT(network.y), number, 1, 65536, "Rows of the mesh.", Need::mesh},
    {"network.link_bytes_per_cycle", AT(network.link_bytes_per_cycle), width, 1e-3, 1e9, "Each link, each direction.",
     Need::network},
    {"network.hop_cycles", AT(network.hop_cycles), cycles, 0, 1e6, "Router and wire from one node to the next.",
     Need::network},

    {"cache.bytes", AT(cache.bytes), bytes, 1, most, "Room for copies of what was last loaded or stored.",
     Need::optional},
    {"cache.latency", AT(cache.latency_femtoseconds), time, 0, 1,
     "First byte of what is there, without the network; the bytes then come at the pace of network and cores.",
     Need::optional},

    {"memory.kind", AT(memory.kind), number, 0, 0, "Its technology, for the reader: HBM3, LPDDR5."},
    {"memory.device", AT(memory.device), number, 0, 0,
     "A description of a memory (memory.md), a NAME or, from the chip's folder, a FILE.toml: channels then have its "
     "banks and controller, at the "
     "clock "
     "that gives bytes_per_second. \"none\": they move bytes at a constant pace.",
     Need::optional},
    {"memory.bytes", AT(memory.bytes), bytes, 1024, most, "Capacity."},
    {"memory.bytes_per_second", AT(memory.bytes_per_second), bandwidth, 1e3, most, "Peak of all channels."},
    {"memory.channels", AT(memory.channels), number, 1, 65536,
     "Independent channels (pseudo-channels where the kind has them)."},
    {"memory.interleave_bytes", AT(memory.interleave_bytes), bytes, 1, 1e9,
     "Consecutive bytes of one channel; a multiple of the burst."},
    {"memory.hashed", AT(memory.hashed), number, 0, 0,
     "A hash deals addresses to channels, so that no stride meets few of them; absent: they take turns.",
     Need::optional},
    {"memory.latency", AT(memory.latency_femtoseconds), time, 0, 1,
     "First byte of a read from idle memory, controller included."},
    {"memory.efficiency", AT(memory.efficiency), number, 0.01, 1,
     "Share of the peak that streams reach: refresh, row activations, turnarounds. Without a device it is their pace, "
     "with "
     "one the compiler's estimate."},

    {"host.name", AT(host.name), number, 0, 0, "The host and its link, for the reader."},
    {"host.bytes_per_second", AT(host.bytes_per_second), bandwidth, 1e3, most,
     "Link between host and chip, each direction."},
    {"host.link_latency", AT(host.link_latency_femtoseconds), time, 0, 1, "One crossing of the link."},
    {"host.launch", AT(host.launch_femtoseconds), time, 0, 10, "From a request to the first instruction."},
    {"host.operations_per_second", AT(host.operations_per_second), Unit::operations_per_second, 1e3, most,
     "Scalar operations of the functions that the host runs."},
    {"host.memory_bytes_per_second", AT(host.memory_bytes_per_second), bandwidth, 1e3, most,
     "Host memory, as those functions stream it."},
};
#undef AT

/// Femtoseconds of a time, and back.
double stored(Unit unit, double value) { return unit == Unit::seconds ? value * 1e15 : value; }
double unstored(Unit unit, double value) { return unit == Unit::seconds ? value * 1e-15 : value; }

}  // namespace

std::span<const Field> fields() { return table; }

const Field* field_named(std::string_view name) {
  for (const Field& field : table)
    if (field.name == name) return &field;
  return nullptr;
}

bool is_needed(const Field& field, const Chip& chip) {
  switch (field.need) {
    case Need::always:
      return true;
    case Need::optional:
      return false;
    case Need::vector:
      return chip.vector.lanes > 0;
    case Need::network:
      return chip.network.topology != "none";
    case Need::mesh:
      return chip.network.topology == "mesh";
  }
  return true;
}

double number_of(const Field& field, Chip& chip) {
  if (const auto* whole = std::get_if<int64_t& (*)(Chip&)>(&field.access))
    return unstored(field.unit, static_cast<double>((*whole)(chip)));
  return unstored(field.unit, std::get<double& (*)(Chip&)>(field.access)(chip));
}

void set_number(const Field& field, Chip& chip, double value) {
  if (const auto* whole = std::get_if<int64_t& (*)(Chip&)>(&field.access))
    (*whole)(chip) = std::llround(stored(field.unit, value));
  else
    std::get<double& (*)(Chip&)>(field.access)(chip) = stored(field.unit, value);
}

std::string value_text(const Field& field, Chip& chip) {
  if (const auto* truth = std::get_if<bool& (*)(Chip&)>(&field.access)) return (*truth)(chip) ? "true" : "false";
  if (const auto* text = std::get_if<std::string& (*)(Chip&)>(&field.access)) return (*text)(chip);
  return quantity_text(number_of(field, chip), field.unit);
}

}  // namespace hadal::chip
