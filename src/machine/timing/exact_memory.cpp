#include "machine/timing/exact_memory.h"

#include <cmath>

#include "rules/cycles.h"

namespace hadal::machine::timing {

/// The device as the chip has it: as many channels, interleaved as the chip says.
Result<ExactMemory> ExactMemory::make(const chip::Chip& chip, const memory::Device& device, const Cycles& clock) {
  const int64_t burst = device.organization.burst_bytes, granule = chip.memory.interleave_bytes;
  const double tick = tick_of(chip, device, clock);
  memory::Device used = device;
  used.organization.channels = chip.memory.channels / device.organization.pseudo_channels;
  used.controller.mapping = "of the chip";
  used.mappings[used.controller.mapping] = memory::Layout::of(device, granule / burst).mapping(chip.memory.hashed);
  HADAL_TRY(memory::Memory memory, memory::Memory::make(used, memory::Memory::Mode::exact));
  return ExactMemory(std::move(memory), 1 / tick, granule, burst);
}

void ExactMemory::submit(const Spread& spread, int64_t bytes, bool write, Time at, Ticket ticket) {
  const int64_t run = std::min(rules::ceil_div(bytes, spread.count), spread.width * granule_);
  const int64_t number = memory_.submit({.address = static_cast<uint64_t>(spread.first * granule_),
                                         .bytes = run,
                                         .stride = spread.step * granule_,
                                         .count = spread.count,
                                         .write = write,
                                         .at = std::llround(static_cast<double>(at) * ticks_per_time_)});
  tickets_.emplace(number, ticket);
}

std::optional<ExactMemory::Report> ExactMemory::advance(Time until) {
  if (tickets_.empty()) return std::nullopt;
  const double limit = static_cast<double>(until) * ticks_per_time_;
  const auto progress = memory_.advance(limit < 9e18 ? static_cast<memory::Tick>(limit) : memory::never);
  if (!progress) return std::nullopt;
  const auto time = [&](memory::Tick tick) { return std::llround(static_cast<double>(tick) / ticks_per_time_); };
  const auto at = tickets_.find(progress->number);
  Report report{progress->is_end ? Report::Kind::done : Report::Kind::sent, at->second, time(progress->at),
                time(progress->first)};
  if (progress->is_end) tickets_.erase(at);
  return report;
}

}  // namespace hadal::machine::timing
