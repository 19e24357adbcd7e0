#include "bench/operators/predict.h"

#include "compile/compile.h"
#include "machine/timing/run.h"

namespace hadal::bench {

namespace {

Result<int64_t> cycles_of(const isa::Program& program, chip::Chip chip, bool warm) {
  chip.cores = program.limits.cores;
  HADAL_TRY(const machine::Timing timing, machine::time_program(program, chip, {.warm = warm}));
  return timing.cycles;
}

}  // namespace

Result<Prediction> predict(const graph::Graph& graph, const chip::Chip& described, const compile::Profile* profile) {
  chip::Chip chip = described;
  if (profile) {
    HADAL_TRY(chip, compile::under(*profile, std::move(chip)));
  }
  compile::Options options;
  options.profile = profile;
  options.values = false;
  options.cycles = [&](const isa::Program& program) { return cycles_of(program, chip, false); };
  HADAL_TRY(const isa::Program program, compile::compile(graph, chip, options));
  if (profile) chip = compile::calling(*profile, std::move(chip), program.layers.front().op);
  HADAL_TRY(const int64_t cycles, cycles_of(program, chip, profile && profile->machine.warm));
  return Prediction{chip.seconds(static_cast<double>(cycles)), cycles};
}

}  // namespace hadal::bench
