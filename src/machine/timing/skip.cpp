// Trips of steady loops that are counted but not run. Once all cores go round a loop in a steady period, whole periods
// are left out: sequencers go on to the same place some periods later, all else stays as it is, and from then on times
// are that much later. Every instruction that is left out is decoded, checked and counted; only its time is taken from
// those before it.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/split_mix.h"
#include "machine/timing/machine.h"

namespace hadal::machine::timing {

namespace {

using Sums = std::vector<std::array<int64_t, isa::semaphores>>;

/// What an instruction of a core leaves in the semaphores of all.
void add_syncs(const isa::Instruction& in, uint32_t core, Sums& sums) {
  for (const isa::Sync& wait : in.waits) sums[core][wait.id] -= wait.count;
  for (const isa::Sync& signal : in.signals) {
    if (!signal.everywhere) {
      sums[core][signal.id] += signal.count;
      continue;
    }
    for (auto& sum : sums) sum[signal.id] += signal.count;
  }
}

bool is_balanced(const Sums& sums) {
  return std::ranges::all_of(
      sums, [](const auto& sum) { return std::ranges::all_of(sum, [](int64_t count) { return count == 0; }); });
}

}  // namespace

/// The sequencer of a core has its next instruction. When a mark is due on the first core that still runs, the loops
/// are looked at, the outermost first.
void Machine::come_to(uint32_t core) {
  const unsigned kept = steady_->arrived(core, cores_[core].sequencer);
  const auto is_halted = [](const Core& state) { return state.halted; };
  if (kept == 0 || !std::all_of(cores_.begin(), cores_.begin() + core, is_halted)) return;
  for (size_t level = 0; kept >> level != 0; ++level) {
    if ((kept >> level & 1) == 0) continue;
    if (const auto period = steady_->find(core, level)) return skip(*period);
  }
}

/// Of what an instruction's time depends on, but for addresses.
uint64_t Machine::signature_of(const Entry& entry) const {
  const auto mix = [](uint64_t hash, int64_t number) { return SplitMix::joined(hash, static_cast<uint64_t>(number)); };
  const uint64_t what = mix(steady_->signature(entry.instruction), entry.idle ? 1 : 0);
  if (entry.idle) return what;
  if (isa::is_dma(program_->code[entry.instruction].queue))
    return mix(mix(what, entry.transfer.moved), entry.transfer.port_cycles);
  return mix(mix(what, entry.cost.cycles), entry.emits ? 1 + entry.cost.emit : 0);
}

/// Whether nothing has happened on the cores that are not in the loop.
bool Machine::others_rest(const Period& period) {
  std::vector<bool> is_in(cores_.size());
  for (const Period::Part& part : period.parts) is_in[part.core] = true;
  for (size_t core = 0; core < cores_.size(); ++core)
    for (const QueueState& queue : cores_[core].queues)
      if (!is_in[core] && (!queue.active.empty() || queue.last_end + skipped_ > period.since)) return false;
  return true;
}

Machine::Checkpoint Machine::checkpoint() const {
  Checkpoint now{.statistics = statistics_, .issued = issued_};
  for (const Core& core : cores_) now.cores.push_back({core.sequencer, core.next, core.issued});
  return now;
}

void Machine::go_back(const Checkpoint& to) {
  error_.reset();
  statistics_ = to.statistics;
  issued_ = to.issued;
  for (size_t core = 0; core < cores_.size(); ++core) {
    cores_[core].sequencer = to.cores[core].sequencer;
    cores_[core].next = to.cores[core].next;
    cores_[core].issued = to.cores[core].issued;
  }
}

/// Leaves out as many periods as there are but one, or as are like the ones that were measured.
void Machine::skip(const Period& period) {
  int64_t periods = INT64_MAX;
  for (const Period::Part& part : period.parts)
    periods = std::min(periods, steady_->left(part.core, period.level) / period.trips - 1);
  if (periods < 1 || !others_rest(period)) return;

  const Checkpoint before = checkpoint();
  for (int64_t alike = 0; periods > 0; periods = alike) {
    alike = pass_over(period, periods);
    if (alike == periods) break;
    go_back(before);
  }
  for (Core& core : cores_) {
    if (core.halted) continue;
    const size_t to = core.sequencer.index();
    core.fetch.move(code_.begin(to) - code_.begin(core.last));
    core.last = to;
  }
  if (options_.slices)
    for (const Period::Part& part : period.parts)
      skips_.push_back({.core = part.core,
                        .first = before.cores[part.core].issued,
                        .end = cores_[part.core].issued,
                        .instructions = part.all.order,
                        .code = period.code,
                        .time = period.time,
                        .known = part.known});
  extrapolated_ += issued_ - before.issued;
  skipped_ += std::llround(period.time * static_cast<double>(periods) / ticks_per_cycle) * ticks_per_cycle;
  network_.add_hop_bytes(period.hop_bytes * static_cast<uint64_t>(periods));
  steady_->skipped(period, periods);
}

/// Counts the instructions of so many periods, on all cores. Returns how many periods were like those measured, all if
/// the sequencers are where they were.
int64_t Machine::pass_over(const Period& period, int64_t periods) {
  std::vector<size_t> from;
  for (const Period::Part& part : period.parts) from.push_back(cores_[part.core].sequencer.index());
  Sums sums(cores_.size());
  for (int64_t passed = 0; passed < periods; ++passed) {
    for (const Period::Part& part : period.parts)
      if (!pass_over(period, part, sums)) return passed;
    if (!is_balanced(sums)) return 0;
  }
  for (size_t i = 0; i < from.size(); ++i) {
    const size_t to = cores_[period.parts[i].core].sequencer.index();
    if (to != from[i] + period.code * static_cast<size_t>(periods)) return 0;
  }
  return periods;
}

/// One period of one core; false where it is unlike those that were measured.
bool Machine::pass_over(const Period& period, const Period::Part& part, Sums& sums) {
  Core& core = cores_[part.core];
  const Skipped skipped{.instructions = part.all.order, .known = part.known};
  uint64_t signature = 0;
  Entry entry;
  for (uint32_t i = 0; i < part.all.order; ++i) {
    if (++issued_ > options_.instruction_budget) return false;
    decode(core, entry);
    if (error_) return false;
    tally(part.core, entry);
    signature += signature_of(entry);
    add_syncs(*core.next, part.core, sums);
    if (!entry.idle && isa::is_dma(core.next->queue) && is_cached(entry.transfer)) keep_cached(entry.transfer);
    if (period.code > 0) {
      const uint32_t later = skipped.later(core.issued);
      statistics_.like(entry.layer, layer_of(entry.instruction - later * period.code),
                       std::llround(later * period.time));
    }
    ++core.issued;
    core.next = core.sequencer.next();
    if (!core.next) return false;
  }
  return signature == part.all.signature;
}

/// The cache has what a transfer that is not run would have left there.
void Machine::keep_cached(const Transfer& transfer) {
  const int64_t piece = piece_of(transfer);
  for (int64_t from = 0; from < transfer.moved; from += piece) {
    const int64_t bytes = std::min(piece, transfer.moved - from);
    if (transfer.write || !cache_.find(transfer, from, bytes)) cache_.keep(transfer, from, bytes, 0);
  }
}

/// The courses of instructions that were not run.
void Machine::fill_in(std::vector<Slice>& slices) const {
  if (skips_.empty()) return;
  std::vector<std::unordered_map<uint32_t, size_t>> places(cores_.size());
  for (size_t s = 0; s < slices.size(); ++s) places[slices[s].core][slices[s].order] = s;
  for (const Skipped& skip : skips_)
    for (uint32_t order = skip.first; order != skip.end; ++order) {
      const uint32_t periods = skip.later(order);
      Slice slice = slices[places[skip.core].at(order - periods * skip.instructions)];
      const int64_t later = std::llround(periods * skip.time / ticks_per_cycle);
      for (int64_t* time :
           {&slice.held_from, &slice.issued, &slice.begin, &slice.end, &slice.waited_from, &slice.asked})
        *time += later;
      slice.instruction += periods * skip.code;
      slice.order = order;
      if (slice.meeting > 0) slice.meeting += periods * met_;
      places[skip.core][order] = slices.size();
      slices.push_back(slice);
    }
}

}  // namespace hadal::machine::timing
