#include "runtime/values.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace hadal::runtime {

namespace {

Status check_memory(const isa::Program& program, const chip::Chip& chip, const ValueSettings& settings) {
  const int64_t needed = memory_needed(program, chip);
  if (needed <= settings.memory_limit) return {};
  return Error{
      "memory.limit",
      fmt::format("the values need about {}, the limit is {}", quantity_text(static_cast<double>(needed), Unit::bytes),
                  quantity_text(static_cast<double>(settings.memory_limit), Unit::bytes)),
      settings.place, "raise --memory-limit, or leave the values out with --no-values"};
}

Status check_weights(const isa::Program& program, const std::string& place) {
  for (const isa::WeightEntry& weight : program.weights)
    if (weight.bytes.view.size() != weight.size)
      return Error{"program.weights", fmt::format("weight \"{}\" has no values in this file", printable(weight.name)),
                   place, "only --no-values can do without them"};
  return {};
}

bool is_absent(const Tensor& tensor) { return tensor.bytes.view.empty() && tensor.size() > 0; }

Tensor copy_of(const Tensor& tensor) {
  std::byte* data = nullptr;
  Tensor copy = Tensor::zeros(tensor.dtype, tensor.shape, data);
  std::ranges::copy(tensor.bytes.view, data);
  return copy;
}

}  // namespace

bool lacks_scales(const Source& source) {
  return source.precision && !is_float(*source.precision) && source.calibration.empty();
}

Error needs_scales(const Source& source) {
  return {"run.precision",
          fmt::format("{} values of a model in floats need scales, which the model does not have",
                      name_of(*source.precision)),
          printable(source.file.string()),
          "quantise it by samples, --calibrate NAME=FILE.npy, or time it without values, --no-values"};
}

int64_t cores_of(const isa::Program& program, const chip::Chip& chip) {
  return std::min<int64_t>(program.limits.cores, chip.cores);
}

int64_t memory_needed(const isa::Program& program, const chip::Chip& chip) {
  double bytes = static_cast<double>(program.limits.cores) *
                 static_cast<double>(chip.scratchpad.bytes + chip.scratchpad.accumulator_bytes);
  for (const isa::Region& region : program.regions)  // Weights are held a second time, packed for the host's kernels.
    bytes += static_cast<double>(region.bytes) * (region.kind == isa::RegionKind::weight ? 2 : 1);
  for (const auto* ports : {&program.inputs, &program.outputs})
    for (const isa::Port& port : *ports)
      bytes += static_cast<double>(checked_bytes(port.shape, bytes_of(port.dtype) + bytes_of(port.stored)));
  return static_cast<int64_t>(std::min(bytes, 0x1p62));
}

Result<machine::ValueOptions> value_options(const isa::Program& program, const chip::Chip& chip,
                                            const ValueSettings& settings) {
  HADAL_CHECK(check_memory(program, chip, settings));
  HADAL_CHECK(check_weights(program, settings.place));
  machine::ValueOptions options;
  options.threads = settings.threads;
  options.exact = settings.exact;
  options.round_products_to_bf16 = chip.matrix.f32_passes == 1;
  return options;
}

Result<Values> Values::of(const isa::Program& program, const chip::Chip& chip, const ValueSettings& settings) {
  HADAL_TRY(const machine::ValueOptions options, value_options(program, chip, settings));
  Values values;
  values.program_ = &program;
  HADAL_TRY(values.machine_, machine::ValueMachine::make(program, cores_of(program, chip), options));
  values.reset();
  return values;
}

void Values::reset() {
  states_.clear();
  for (const isa::State& state : program_->states) {
    const isa::Port& port = program_->inputs[state.input];
    std::byte* data = nullptr;
    states_.push_back(Tensor::zeros(port.stored, port.shape, data));
  }
}

Tensor Values::state(const isa::State& state) const {
  const Tensor& held =
      states_[static_cast<size_t>(std::ranges::find(program_->states, state) - program_->states.begin())];
  const DType dtype = program_->inputs[state.input].dtype;
  return held.dtype == dtype ? copy_of(held) : cast(held, dtype);
}

std::vector<Tensor> Values::bind(std::vector<Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!is_absent(inputs[i])) inputs[i] = cast(inputs[i], program_->inputs[i].stored);
  for (size_t i = 0; i < states_.size(); ++i) {
    Tensor& input = inputs[program_->states[i].input];
    if (!is_absent(input)) states_[i] = copy_of(input);
    input = states_[i];
  }
  return inputs;
}

Result<std::vector<Tensor>> Values::run(const std::vector<Tensor>& inputs, machine::ValueCounts& counts) {
  HADAL_TRY(std::vector<Tensor> outputs, machine_->run(bind(inputs), counts));
  for (size_t i = 0; i < states_.size(); ++i) {
    Tensor& output = outputs[program_->states[i].output];
    states_[i] = std::exchange(output, Tensor{output.dtype, output.shape, {}});
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!is_absent(outputs[i])) outputs[i] = cast(outputs[i], program_->outputs[i].dtype);
  return outputs;
}

}  // namespace hadal::runtime
