#include "fuzz/stages.h"

#include "compile/compile.h"
#include "isa/verify.h"
#include "machine/functional/run.h"
#include "machine/timing/limits.h"
#include "machine/timing/run.h"
#include "onnx/import.h"
#include "runtime/inputs.h"
#include "runtime/session.h"

namespace hadal::fuzz {

namespace {

/// Sanitized kernels are slow: this many multiply-accumulates, or bytes, are a fraction of a second.
constexpr uint64_t most_macs = 20'000'000;
constexpr int64_t most_bytes = int64_t{64} << 20;

bool is_quick(const isa::Program& program, const chip::Chip& chip) {
  uint64_t macs = 0;
  for (const isa::Layer& layer : program.layers) macs += std::min(layer.macs, most_macs);
  return macs <= most_macs && runtime::memory_needed(program, chip) <= most_bytes;
}

Status run_values(const isa::Program& program, const chip::Chip& chip) {
  for (const isa::WeightEntry& weight : program.weights)
    if (weight.bytes.view.size() != weight.size) return Error{"program.weights", "a weight has no values"};
  HADAL_TRY(std::vector<Tensor> inputs, runtime::bind_inputs(program.inputs, {}, 0));
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = cast(inputs[i], program.inputs[i].stored);
  machine::ValueOptions options;
  options.instruction_budget = instruction_budget;
  HADAL_TRY(const auto machine, machine::ValueMachine::make(program, chip.cores, options));
  machine::ValueCounts counts;
  HADAL_TRY(const std::vector<Tensor> outputs, machine->run(inputs, counts));
  for (const Tensor& output : outputs)
    for (int64_t i = 0; i < std::min<int64_t>(output.size(), 16); ++i) (void)number_at(output, i);
  return {};
}

}  // namespace

const chip::Chip& shipped(const std::string& name) {
  static std::map<std::string, chip::Chip> chips;
  const auto found = chips.find(name);
  if (found != chips.end()) return found->second;
  auto chip = chip::load_chip(name);
  EXPECT_TRUE(chip.ok()) << name;
  return chips[name] = std::move(chip).value();
}

Status run_program(Campaign& campaign, const isa::Program& program, const chip::Chip& chip) {
  HADAL_CHECK(isa::verify_static(program));
  campaign.reached("5 verified");
  HADAL_CHECK(machine::meets_limits(program, chip));
  if (runtime::memory_needed(program, chip) > memory_limit) return Error{"memory.limit", "the values need too much"};
  campaign.reached("6 in limits");
  Status status;
  if (is_quick(program, chip)) {
    campaign.reached("7 values begun");
    status = run_values(program, chip);
    if (status.ok()) campaign.reached("8 values done");
  }
  machine::TimingOptions options;
  options.instruction_budget = instruction_budget;
  auto timing = machine::time_program(program, chip, options);
  if (!timing.ok()) return status.ok() ? Status(std::move(timing).error()) : std::move(status);
  EXPECT_GE(timing->cycles, 0);
  campaign.reached("9 timed");
  return status;
}

Status run_model(Campaign& campaign, const std::filesystem::path& model, const chip::Chip& chip) {
  onnx::ImportOptions options;
  options.memory_limit = memory_limit;
  HADAL_TRY(onnx::Imported imported, onnx::import_model(model, options));
  campaign.reached("3 imported");
  HADAL_TRY(const isa::Program program, compile::compile(std::move(imported.graph), chip, {}));
  campaign.reached("4 compiled");
  return run_program(campaign, program, chip);
}

}  // namespace hadal::fuzz
