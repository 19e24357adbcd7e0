#include "fuzz/well_formed_check.h"

#include <algorithm>
#include <cmath>

#include "fuzz/campaign.h"
#include "isa/file.h"
#include "isa/text.h"
#include "isa/verify.h"
#include "machine/check/run.h"
#include "machine/functional/run.h"
#include "machine/timing/builder.h"

namespace hadal::fuzz {

namespace {

/// The small chip with as many cores, whose array multiplies every type at one row a cycle.
chip::Chip chip_of(const isa::Program& program) {
  chip::Chip chip = machine::mesh_chip(program.limits.cores, 1);
  for (const DType type : {DType::f32, DType::f16, DType::f8e4m3, DType::f8e5m2, DType::i8, DType::u8})
    chip.matrix.rows_per_cycle[type] = 1;
  chip.scratchpad.bytes = std::max(chip.scratchpad.bytes, static_cast<int64_t>(program.limits.scratchpad_bytes));
  chip.scratchpad.accumulator_bytes = static_cast<int64_t>(program.limits.accumulator_bytes);
  chip.matrix.depthwise_on_lanes = false;  // Else the array's work is that of the lanes, too.
  return chip;
}

Status legal(const isa::Program& program) {
  HADAL_CHECK(isa::verify(program));
  HADAL_TRY(const machine::Checked checked, machine::check_program(program, program.limits.cores));
  return machine::status_of(program, checked);
}

Status survives_file_and_text(const isa::Program& program, const std::string& folder) {
  const std::string first = folder + "/first", second = folder + "/second";
  HADAL_CHECK(isa::write_program(program, first));
  const std::string bytes = get_file(first);
  HADAL_TRY(const isa::Program read, isa::read_program(first));
  HADAL_CHECK(isa::write_program(read, second));
  if (get_file(second) != bytes) return Error{"test.file", "what was read is written in other bytes"};
  HADAL_TRY(const std::string text, isa::disassemble(program, isa::WeightText::inlined));
  HADAL_TRY(const isa::Program assembled, isa::assemble(text, "text", folder));
  HADAL_CHECK(isa::write_program(assembled, second));
  if (get_file(second) != bytes) return Error{"test.text", "its text assembles to other bytes"};
  return {};
}

/// Half of the distance between numbers of the type, for each of the results that were rounded to it, relative.
double rounding_of(DType type) {
  switch (type) {
    case DType::f16:
      return std::ldexp(1, -10);
    case DType::bf16:
      return std::ldexp(1, -7);
    case DType::f8e4m3:
    case DType::f8e4m3fnuz:
      return std::ldexp(1, -3);
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
      return std::ldexp(1, -2);
    case DType::f4e2m1:
      return 0.5;
    default:
      return 0;
  }
}

/// Equal, NaN at the same places; or within 1e-5 of the largest (docs/numerics.md), and one step of the type, as two
/// numbers that close may round to neighbours. The largest is that of the terms that were added up: of n terms, sums in
/// any two orders differ by at most n * 2^-23 of that of their magnitudes, and n is at most 150 or so.
Status same(const Tensor& got, const Tensor& want, const Bound& bound, size_t output) {
  if (got.dtype != want.dtype || got.shape != want.shape)
    return Error{"test.values", fmt::format("output {} has another type or shape", output)};
  for (int64_t i = 0; i < want.size(); ++i) {
    const double a = number_at(got, i), b = number_at(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double steps = std::max(std::fabs(b) * rounding_of(want.dtype), rounding_of(want.dtype) / 8);
    if (bound.most > 0 && std::fabs(a - b) <= 1e-5 * std::max(bound.most, std::fabs(b)) + steps) continue;
    return Error{"test.values",
                 fmt::format("element {} of output {} is {}, not {}; largest {}", i, output, a, b, bound.most)};
  }
  return {};
}

Status same(const std::vector<Tensor>& got, const std::vector<Tensor>& want, const std::vector<Bound>& bounds) {
  for (size_t i = 0; i < want.size(); ++i) HADAL_CHECK(same(got[i], want[i], bounds[i], i));
  return {};
}

/// Exact and fast numerics agree, within bounds; runs by one thread and by two, and a second run, in every bit.
Status values_agree(const WellFormed& made, machine::ValueCounts& counts) {
  const auto run = [&](bool exact, int threads, int runs) -> Result<std::vector<Tensor>> {
    HADAL_TRY(const auto machine, machine::ValueMachine::make(made.program, made.program.limits.cores,
                                                              {.threads = threads, .exact = exact}));
    std::vector<Tensor> outputs;
    for (int i = 0; i < runs; ++i) {
      counts = {};
      HADAL_TRY(outputs, machine->run(made.inputs, counts));
    }
    return outputs;
  };
  const auto equal = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return std::ranges::equal(
        a, b, [](const Tensor& x, const Tensor& y) { return std::ranges::equal(x.bytes.view, y.bytes.view); });
  };
  HADAL_TRY(const std::vector<Tensor> exact, run(true, 1, 1));
  const auto executed = counts.executed;
  HADAL_TRY(const std::vector<Tensor> fast, run(false, 1, 1));
  HADAL_CHECK(same(fast, exact, made.bounds));
  if (counts.executed != executed) return Error{"test.executed", "fast and exact execute other instructions"};
  HADAL_TRY(const std::vector<Tensor> threads, run(false, 2, 2));
  if (!equal(fast, threads)) return Error{"test.threads", "two threads, in a second run, change a value"};
  return {};
}

/// Time is the same twice, its counts are those of the values, and no engine or memory is faster than it can be.
Status time_agrees(const isa::Program& program, const machine::ValueCounts& counts) {
  const chip::Chip chip = chip_of(program);
  HADAL_TRY(const machine::Timing one, machine::time_program(program, chip, {}));
  HADAL_TRY(const machine::Timing two, machine::time_program(program, chip, {}));
  if (one.cycles != two.cycles || one.events != two.events)
    return Error{"test.cycles", fmt::format("{} cycles, then {}", one.cycles, two.cycles)};
  auto executed = counts.executed;  // The timing machine counts what queues run.
  for (const isa::Opcode own : {isa::Opcode::let, isa::Opcode::halt}) executed.erase(own);
  if (one.executed != executed || one.macs != counts.macs)
    return Error{"test.executed",
                 fmt::format("the machines executed other instructions, or {} and {} products", one.macs, counts.macs)};
  const auto cycles = static_cast<uint64_t>(one.cycles), cores = static_cast<uint64_t>(chip.cores);
  const auto cells = static_cast<uint64_t>(chip.matrix.rows * chip.matrix.columns);
  const double bytes = static_cast<double>(one.bytes_read + one.bytes_written);
  if (one.macs > cycles * cells * cores || bytes > static_cast<double>(cycles) * chip.memory.bytes_per_second / 1e9)
    return Error{"test.bound", fmt::format("{} products and {} bytes take {} cycles", one.macs, bytes, cycles)};
  int64_t matrix = 0, vector = 0;
  for (const machine::LayerTime& layer : one.layers) matrix += layer.matrix_busy, vector += layer.vector_busy;
  if (matrix > one.cycles * chip.cores || vector > one.cycles * chip.cores)
    return Error{"test.bound", fmt::format("{} cycles of the array, {} of the lanes, in {}", matrix, vector, cycles)};
  return {};
}

}  // namespace

Outcome check_well_formed(const WellFormed& made, const std::string& folder) {
  Outcome outcome;
  const auto passes = [&](const Status& status) {
    if (!status.ok()) outcome.stage = status.error().code, outcome.message = status.error().text();
    return status.ok();
  };
  machine::ValueCounts counts;
  if (!passes(legal(made.program)) || !passes(survives_file_and_text(made.program, folder)) ||
      !passes(values_agree(made, counts)) || !passes(time_agrees(made.program, counts)))
    return outcome;
  outcome.executed = counts.executed;
  return outcome;
}

}  // namespace hadal::fuzz
