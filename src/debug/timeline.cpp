#include "debug/timeline.h"

#include <algorithm>

#include "isa/check.h"
#include "isa/table.h"

namespace hadal::debug {

namespace {

/// "waits for weight.full, parameter.full", or for its turn.
std::string waiting_text(const isa::Program& program, const machine::Slice& slice) {
  std::string names;
  for (const isa::Sync& wait : program.code[slice.instruction].waits)
    if (wait.count > 0) names += (names.empty() ? "" : ", ") + printable(program.semaphores[wait.id].name);
  return names.empty() ? "waits to begin" : "waits for " + names;
}

}  // namespace

Result<Timeline> Timeline::of(const isa::Program& program, const chip::Chip& chip) {
  Timeline out;
  chip::Chip used = chip;
  used.cores = std::min<int64_t>(chip.cores, program.limits.cores);
  out.cores_ = static_cast<size_t>(used.cores);
  machine::TimingOptions options;
  options.slices = &out.slices_;
  HADAL_TRY(const machine::Timing timing, machine::time_program(program, used, options));
  out.cycles_ = timing.cycles;
  return out;
}

std::vector<uint64_t> Timeline::ended_by(int64_t cycle) const {
  std::vector<uint64_t> out(cores_);
  for (const machine::Slice& slice : slices_)
    if (slice.end <= cycle) out[slice.core] = std::max<uint64_t>(out[slice.core], uint64_t{slice.order} + 1);
  return out;
}

std::string Timeline::queues(const isa::Program& program, size_t core, int64_t cycle) const {
  std::string out = fmt::format("queues of core {} at cycle {}\n", core, cycle);
  for (int q = 1; q < isa::queue_count; ++q) {
    const machine::Slice* first = nullptr;  // In its queue: issued, and not ended.
    int64_t behind = -1;
    for (const machine::Slice& slice : slices_) {
      if (slice.core != core || slice.queue != static_cast<isa::Queue>(q)) continue;
      if (slice.issued > cycle || slice.end <= cycle) continue;
      ++behind;
      if (first == nullptr || slice.order < first->order) first = &slice;
    }
    out += fmt::format("  {:<9}", isa::name_of(static_cast<isa::Queue>(q)));
    if (first == nullptr) {
      out += "idle\n";
      continue;
    }
    out += fmt::format(
        "{} `{}` {}, {} behind\n", isa::place_of(program, first->instruction),
        isa::row_of(program.code[first->instruction].op)->name,
        first->begin <= cycle ? fmt::format("until cycle {}", first->end) : waiting_text(program, *first), behind);
  }
  return out;
}

}  // namespace hadal::debug
