#include "machine/timing/cost.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "isa/fields.h"
#include "isa/table.h"
#include "machine/timing/time.h"
#include "rules/cycles.h"
#include "rules/host.h"
#include "rules/matrix.h"
#include "rules/vector.h"

namespace hadal::machine::timing {

namespace {

using isa::Box;
using isa::Instruction;
using isa::Opcode;
namespace at = isa::at;

/// One instruction with the boxes of its operands.
struct Site {
  const isa::Program& program;
  const isa::Sequencer& sequencer;
  const Instruction& in;
  const chip::Chip& chip;

  [[nodiscard]] bool has(size_t operand) const {
    return operand < in.operands.size() && in.operands[operand] != isa::no_view;
  }
  [[nodiscard]] Box box(size_t operand) const { return sequencer.box(in.operands[operand]); }
  [[nodiscard]] int64_t field(size_t i) const { return sequencer.number(in.fields[i]); }
  [[nodiscard]] int64_t bytes(size_t first, size_t last) const {
    int64_t sum = 0;
    for (size_t i = first; i < last; ++i)
      if (has(i)) sum += box(i).bytes();
    return sum;
  }
};

int64_t product(const Box& box, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t i = first; i < last; ++i) n *= box.extents[i];
  return n;
}

uint64_t count(int64_t value) { return static_cast<uint64_t>(value); }

rules::MatrixWork matrix_work(const Site& site) {
  const Box out = site.box(at::out), a = site.box(at::a), b = site.box(at::b);
  switch (site.in.op) {
    case Opcode::matmul:
    case Opcode::matmul_scaled: {
      const int64_t k = a.extents[site.field(at::transpose_a) != 0 ? 1 : 2];
      return {.m = out.extents[1],
              .k = k,
              .n = out.extents[2],
              .batch = out.extents[0],
              .operands = a.dtype,
              .scale_block = site.in.op == Opcode::matmul_scaled ? isa::scale_block : 0};
    }
    case Opcode::conv_transpose: {
      const int64_t groups = site.field(at::groups);
      return {.m = product(a, 0, 4),
              .k = a.extents[4] / groups,
              .n = product(b, 0, 3) * out.extents[4] / groups,
              .batch = groups,
              .operands = a.dtype};
    }
    default:
      return rules::convolution(product(out, 0, 4), product(b, 0, 3), a.extents[4], out.extents[4],
                                site.field(at::groups), a.dtype);
  }
}

void set_emit(const Site& site, Cost& cost) {
  const Box out = site.box(at::out);
  const int64_t read = site.bytes(at::epilogue_0, at::epilogue_2 + 1), written = out.bytes();
  cost.accumulated = count(out.elements() * 4);
  cost.emit_read = count(read);
  cost.emit_written = count(written);
  const double port = static_cast<double>(std::max(read, written)) / site.chip.scratchpad.bytes_per_cycle;
  cost.emit = std::max(rules::emit_cycles(site.chip.matrix, out.elements()), rules::whole_cycles(port));
}

Cost matrix_cost(const Site& site) {
  Cost cost;
  rules::MatrixCycles cycles;
  int64_t read = 0;
  if (site.in.op == Opcode::conv_depthwise) {
    const Box out = site.box(at::out), x = site.box(at::a), w = site.box(at::b);
    const int64_t pixels = product(out, 0, 4), taps = product(w, 0, 3);
    cost.type = x.dtype;
    cost.on_lanes = site.chip.matrix.depthwise_on_lanes && site.chip.vector.lanes > 0;
    cost.cycles = rules::depthwise_cycles(site.chip, pixels, out.extents[4], taps, x.dtype);
    cost.macs = count(pixels * out.extents[4] * taps);
    cycles.lead = cost.cycles;
    read = x.bytes() + w.bytes();
  } else {
    const rules::MatrixWork work = matrix_work(site);
    cycles = rules::matrix_cycles(site.chip.matrix, work);
    cost.type = work.operands;
    cost.cycles = cycles.array;
    cost.preload = cycles.preload;
    cost.fill = cycles.fill;
    cost.macs = count(work.m * work.k * work.n * work.batch);
    read = rules::matrix_read_bytes(site.chip.matrix, work);
  }
  cost.sram_read = count(read);
  const double port = static_cast<double>(read) / site.chip.scratchpad.bytes_per_cycle;
  cost.cycles = std::max(cost.cycles, rules::whole_cycles(port));
  set_emit(site, cost);
  if (cycles.array > 0 && cost.cycles > cycles.array) {  // Held up at the port: so are passes.
    cycles.lead = cycles.lead * cost.cycles / cycles.array;
    cycles.last = cycles.last * cost.cycles / cycles.array;
  }
  cost.emit_lead = std::min(cycles.lead, cost.cycles);
  cost.emit_tail = rules::emit_tail(cycles, cost.emit);
  return cost;
}

/// Simple and special operations of a chain, an element. 64-bit lanes are two of 32.
rules::MapWork map_work(const Site& site, int64_t elements) {
  const isa::Chain& chain = site.program.chains[static_cast<size_t>(site.field(at::map_chain))];
  double alu = 0, special = 0;
  for (const isa::ChainStep& step : chain.steps) {
    alu += isa::chain_ops()[step.op].alu;
    special += isa::chain_ops()[step.op].special;
  }
  const double width = bytes_of(chain.compute) > 4 ? 2 : 1;
  return {.elements = elements, .alu_ops = alu * width, .special_ops = special * width};
}

/// A reduction over the axes of `axes`; over the last one lanes exchange.
rules::RowWork row_work(const Box& in, uint64_t axes, int64_t bytes) {
  rules::RowWork work{.rows = 1, .columns = 1, .bytes = bytes, .across_lanes = (axes >> (in.rank - 1) & 1) != 0};
  for (size_t i = 0; i < in.rank; ++i) ((axes >> i & 1) != 0 ? work.columns : work.rows) *= in.extents[i];
  return work;
}

/// Operations an element of a reduction; exponentials as the simple operations that take as long.
double reduce_operations(const chip::Vector& vector, int64_t kind) {
  constexpr int64_t sum_square = 5, l1 = 6, l2 = 7, log_sum_exp = 9;  // Choices of reduce.kind.
  if (kind == sum_square || kind == l1 || kind == l2) return 2;
  if (kind == log_sum_exp) return 3 + vector.alu_per_lane / vector.special_per_lane;
  return 1;
}

uint64_t last_axes(const Box& box, int64_t dims) { return ((uint64_t{1} << dims) - 1) << (box.rank - dims); }

/// Of sort and sort_pairs, whose first fields are the same.
rules::SortWork sort_work(const Site& site, const Box& in, int64_t bytes) {
  const auto axis = static_cast<size_t>(site.field(at::sort_axis)), rank = static_cast<size_t>(in.rank);
  return {.elements = in.elements(),
          .length = in.extents[axis],
          .run = site.field(at::sort_run),
          .inner = product(in, axis + 1, rank),
          .bytes = bytes,
          .comparisons = site.in.op == Opcode::sort_pairs ? 2 : 1};
}

Cost vector_cost(const Site& site) {
  const rules::VectorUnit unit = rules::vector_unit(site.chip);
  const size_t written = isa::row_of(site.in.op)->written_count();
  const Box out = site.box(0), in = site.has(written) ? site.box(written) : out;
  Cost cost{.sram_read = count(site.bytes(written, site.in.operands.size())),
            .sram_written = count(site.bytes(0, written))};
  const auto bytes = static_cast<int64_t>(std::max(cost.sram_read, cost.sram_written));
  double operations = 1;  // An element.
  int64_t elements = out.elements();
  switch (site.in.op) {
    case Opcode::map: {
      rules::MapWork work = map_work(site, elements);
      work.bytes = bytes;
      operations = work.alu_ops + work.special_ops;
      cost.cycles = rules::vector_cycles(unit, work);
      break;
    }
    case Opcode::reduce:
      operations = reduce_operations(unit.vector, site.field(at::reduce_kind));
      elements = in.elements();
      cost.cycles = rules::reduce_cycles(unit, row_work(in, count(site.field(at::reduce_axes)), bytes), operations);
      break;
    case Opcode::arg_reduce:
      operations = 2;  // The value and its index.
      elements = in.elements();
      cost.cycles =
          rules::reduce_cycles(unit, row_work(in, uint64_t{1} << site.field(at::arg_axis), bytes), operations);
      break;
    case Opcode::softmax:
      operations = 5;
      cost.cycles = rules::softmax_cycles(unit, row_work(in, last_axes(in, 1), bytes), {});
      break;
    case Opcode::norm: {
      const bool centred = site.field(at::norm_kind) == 0;
      operations = centred ? 5 : 3;
      cost.cycles =
          rules::norm_cycles(unit, row_work(in, last_axes(in, site.field(at::norm_dims)), bytes), {.centred = centred});
      break;
    }
    case Opcode::pool: {
      const int64_t taps = site.field(at::kernel_d) * site.field(at::kernel_h) * site.field(at::kernel_w);
      operations = static_cast<double>(taps);
      cost.cycles = rules::pool_cycles(unit, elements, taps, bytes);
      break;
    }
    case Opcode::resample: {
      const int64_t taps = site.program.tables[static_cast<size_t>(site.field(at::resample_table))].taps;
      operations = static_cast<double>(taps);
      cost.cycles = rules::resample_cycles(unit, elements, taps, bytes);
      break;
    }
    case Opcode::topk: {
      const int64_t k = out.extents[static_cast<size_t>(out.rank - 1)];
      elements = in.elements();
      operations = std::ceil(static_cast<double>(k) / unit.vector.topk_width);
      cost.cycles = rules::topk_cycles(unit, elements, k, bytes);
      break;
    }
    case Opcode::scan:
      operations = static_cast<double>(
          std::bit_width(count(std::max<int64_t>(2, unit.vector.lanes)) - 1));  // log2(lanes) steps of a prefix sum.
      cost.cycles = rules::vector_cycles(unit, {.elements = elements, .alu_ops = operations, .bytes = bytes});
      break;
    case Opcode::sort:
    case Opcode::sort_pairs: {
      const rules::SortWork work = sort_work(site, in, bytes);
      const rules::SortSteps steps = rules::sort_steps(unit.vector, work);
      operations = static_cast<double>(steps.all * work.comparisons);
      cost.sram_read *= count(1 + steps.far);
      cost.sram_written *= count(1 + steps.far);
      cost.cycles = rules::sort_cycles(unit, work);
      break;
    }
    default:  // transpose, select_along
      operations = 0;
      cost.cycles = rules::permute_cycles(unit, out.bytes());
      break;
  }
  cost.vector_operations = static_cast<uint64_t>(operations * static_cast<double>(elements));
  return cost;
}

Cost host_cost(const Site& site) {
  const std::string& name = site.program.functions[static_cast<size_t>(site.field(at::host_function))];
  rules::HostWork work{.bytes_in = site.bytes(at::host_in, site.in.operands.size()),
                       .bytes_out = site.bytes(0, at::host_in)};
  const int64_t in = site.has(at::host_in) ? site.box(at::host_in).elements() : 0, out = site.box(0).elements();
  if (name == "non_max_suppression" && site.has(at::host_in + 1)) {
    const Box scores = site.box(at::host_in + 1);  // [batch, classes, boxes]
    work.operations =
        rules::suppression_operations(scores.extents[0] * scores.extents[1], scores.extents[2], site.box(0).extents[0]);
  } else {
    work.operations = in + out;
  }
  Cost cost{.host_read = count(work.bytes_in), .host_written = count(work.bytes_out)};
  const Cycles clock{site.chip.clock.hertz};
  cost.cycles = Cycles::until(clock.of_femtoseconds(rules::host_call_femtoseconds(site.chip.host, work)));
  return cost;
}

}  // namespace

Cost cost_of(const isa::Program& program, const isa::Sequencer& sequencer, const Instruction& in,
             const chip::Chip& chip) {
  const Site site{program, sequencer, in, chip};
  bool idle = in.op == Opcode::sync;
  for (size_t i = 0; i < in.operands.size(); ++i) idle |= site.has(i) && site.box(i).empty;
  if (idle) return {.idle = true};
  if (in.queue == isa::Queue::matrix) return matrix_cost(site);
  if (in.queue == isa::Queue::vector) return vector_cost(site);
  return host_cost(site);
}

Costs::Costs(const isa::Program& program, const chip::Chip& chip)
    : program_(&program), chip_(&chip), memory_(program.code.size()) {
  for (size_t i = 0; i < memory_.size(); ++i) {
    std::vector<uint8_t>& sources = memory_[i].sources;
    for (const uint16_t number : program.code[i].operands) {
      if (number == isa::no_view) continue;
      const isa::View& view = program.views[number];
      for (size_t d = 0; d < view.rank; ++d) {
        const uint8_t source = view.extents[d].source;
        if (source != isa::no_register && std::find(sources.begin(), sources.end(), source) == sources.end())
          sources.push_back(source);
      }
    }
    memory_[i].kept = sources.size() <= limit;
  }
}

const Cost& Costs::of(const isa::Sequencer& sequencer, const Instruction& in) {
  Memory& memory = memory_[sequencer.index()];
  bool same = memory.filled && memory.kept;
  for (size_t i = 0; same && i < memory.sources.size(); ++i)
    same = memory.values[i] == sequencer.values()[memory.sources[i]];
  if (same) return memory.cost;
  memory.cost = cost_of(*program_, sequencer, in, *chip_);
  memory.filled = true;
  for (size_t i = 0; memory.kept && i < memory.sources.size(); ++i)
    memory.values[i] = sequencer.values()[memory.sources[i]];
  return memory.cost;
}

}  // namespace hadal::machine::timing
