#include "machine/timing/run.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "isa/sequencer.h"
#include "machine/timing/limits.h"
#include "machine/timing/machine.h"
#include "memory/files.h"

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

namespace {

Result<memory::Device> device_of(const chip::Chip& chip) {
  const auto fail = [&](const char* field, Error error) {
    return std::move(error).at(fmt::format("{}: memory.{}", chip.file.empty() ? chip.name : chip.file, field));
  };
  auto device = memory::load_memory(chip.memory.device);
  if (!device) return fail("device", std::move(device).error());
  const int64_t burst = device->organization.burst_bytes, granule = chip.memory.interleave_bytes;
  if (granule % burst != 0 || !std::has_single_bit(static_cast<uint64_t>(granule / burst)))
    return fail("interleave_bytes",
                {"memory.granule",
                 fmt::format("expected bursts of {} B, by a power of two, found {} B", burst, granule),
                 {},
                 fmt::format("such as {} B", 2 * burst)});
  const int64_t pseudo_channels = device->organization.pseudo_channels;
  if (chip.memory.channels % pseudo_channels != 0)
    return fail("channels", {"memory.channels",
                             fmt::format("expected a multiple of {}, the pseudo-channels a channel of {}, found {}",
                                         pseudo_channels, device->name, chip.memory.channels)});
  return device;
}

}  // namespace

Status check_memory(const chip::Chip& chip) {
  if (chip.memory.device == "none") return {};
  HADAL_TRY([[maybe_unused]] const memory::Device device, device_of(chip));
  return {};
}

namespace {

/// What there is of the chip's memory: its description, and where it is timed command by command, that.
struct MemoryModel {
  std::optional<memory::Device> device;
  std::optional<timing::ExactMemory> exact;
};

Result<MemoryModel> memory_of(const chip::Chip& chip, const TimingOptions& options) {
  MemoryModel model;
  if (chip.memory.device == "none") {
    if (options.exact_memory)
      return Error{"memory.none", fmt::format("{} does not say what its memory is", chip.name), "memory.device",
                   "give it a description: hadal-1 has device = \"hbm3-5200\""};
    return model;
  }
  HADAL_TRY(model.device, device_of(chip));
  if (!options.exact_memory) return model;
  HADAL_TRY(model.exact, timing::ExactMemory::make(chip, *model.device, timing::Cycles{chip.clock.hertz}));
  return model;
}

}  // namespace

Result<Timing> time_program(const isa::Program& program, const chip::Chip& chip, const TimingOptions& options) {
  HADAL_CHECK(meets_limits(program, chip));
  HADAL_TRY(const isa::Walk walk, isa::Walk::of(program));
  const auto layers = static_cast<uint32_t>(program.layers.size());
  if (std::any_of(program.source.begin(), program.source.end(),
                  [&](uint32_t layer) { return layer >= std::max(1u, layers); }))
    return Error{"code.C1", "the source map names a layer that the program does not have"};
  const auto machine = [&](MemoryModel& model, const TimingOptions& with) {
    return timing::Machine(walk, chip, model.device ? &*model.device : nullptr, std::move(model.exact), with);
  };
  HADAL_TRY(MemoryModel model, memory_of(chip, options));
  timing::Machine last = machine(model, options);
  if (options.warm && chip.cache.bytes > 0) {
    TimingOptions cold = options;
    cold.slices = nullptr;
    HADAL_TRY(MemoryModel other, memory_of(chip, options));
    timing::Machine before = machine(other, cold);
    HADAL_TRY([[maybe_unused]] const Timing first, before.run());
    last.follow(std::move(before));
  }
  return last.run();
}

}  // namespace hadal::machine
