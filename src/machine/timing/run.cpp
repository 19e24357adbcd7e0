#include "machine/timing/run.h"

#include <algorithm>

#include "isa/sequencer.h"
#include "machine/timing/limits.h"
#include "machine/timing/machine.h"

namespace hadal::machine {

std::string_view name_of(Bound bound) {
  switch (bound) {
    case Bound::matrix:
      return "matrix";
    case Bound::vector:
      return "vector";
    case Bound::memory:
      return "memory";
    case Bound::latency:
      return "latency";
    case Bound::host:
      return "host";
  }
  return "";
}

Result<Timing> time_program(const isa::Program& program, const chip::Chip& chip, const TimingOptions& options) {
  HADAL_CHECK(meets_limits(program, chip));
  HADAL_TRY(const isa::Walk walk, isa::Walk::of(program));
  const auto layers = static_cast<uint32_t>(program.layers.size());
  if (std::any_of(program.source.begin(), program.source.end(),
                  [&](uint32_t layer) { return layer >= std::max(1u, layers); }))
    return Error{"code.C1", "the source map names a layer that the program does not have"};
  timing::Machine machine(walk, chip, options);
  if (!options.warm || chip.cache.bytes == 0) return machine.run();
  TimingOptions cold = options;
  cold.slices = nullptr;
  timing::Machine before(walk, chip, cold);
  HADAL_TRY([[maybe_unused]] const Timing first, before.run());
  machine.follow(std::move(before));
  return machine.run();
}

}  // namespace hadal::machine
