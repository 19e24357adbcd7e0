#include "machine/timing/machine.h"

#include <algorithm>
#include <cmath>

#include "isa/check.h"
#include "isa/fields.h"
#include "isa/table.h"
#include "rules/cycles.h"

namespace hadal::machine::timing {

namespace {

constexpr uint8_t number(isa::Queue queue) { return static_cast<uint8_t>(queue); }
constexpr bool is_dma(uint8_t queue) { return isa::is_dma(static_cast<isa::Queue>(queue)); }

/// HBM: its channels, dealt to the memory ports in turn. A device runs at the clock that gives the chip's bandwidth.
Servers memory_of(const chip::Chip& chip, const memory::Device* device, const Network& network, const Cycles& clock) {
  const chip::Memory& memory = chip.memory;
  std::vector<Node> nodes;
  for (uint32_t c = 0; c < static_cast<uint32_t>(memory.channels); ++c)
    nodes.push_back(network.port(c % network.ports()));
  const Time latency = clock.of_femtoseconds(memory.latency_femtoseconds);
  if (device == nullptr) {
    const double channel = memory.bytes_per_second * memory.efficiency / static_cast<double>(memory.channels);
    return {clock.rate_of_seconds(channel), latency, std::move(nodes), {}, memory.hashed};
  }
  const auto times = memory::RowTimes::of(*device, tick_of(chip, *device, clock));
  const int64_t burst = device->organization.burst_bytes, granule = memory.interleave_bytes / burst;
  Dram dram{memory::RowModel(*device, times, memory.channels, memory::Layout::of(*device, granule)), burst, granule};
  const Time closed_row = times.row_to_read + times.read_latency;
  return {{}, std::max<Time>(0, latency - closed_row), std::move(nodes), std::move(dram), memory.hashed};
}

/// The shared space: the cores' scratchpads.
Servers shared_of(const chip::Chip& chip) {
  std::vector<Node> nodes(static_cast<size_t>(chip.cores));
  for (uint32_t core = 0; core < nodes.size(); ++core) nodes[core] = core;
  const Rate port = Cycles::rate(chip.scratchpad.bytes_per_cycle);
  return {port, 0, std::move(nodes)};
}

}  // namespace

Machine::Machine(const isa::Walk& walk, const chip::Chip& chip, const memory::Device* device,
                 std::optional<ExactMemory> exact, const TimingOptions& options)
    : program_(&walk.program()),
      chip_(&chip),
      options_(options),
      clock_{chip.clock.hertz},
      launch_(
          Cycles::edge(clock_.of_femtoseconds(chip.host.launch_femtoseconds + chip.host.link_latency_femtoseconds))),
      issue_(Cycles::time(chip.sequencer.issue_cycles)),
      let_(Cycles::time(chip.sequencer.let_cycles)),
      signal_(clock_.time(chip.sequencer.signal_latency_cycles)),
      dma_issue_(clock_.time(chip.dma.issue_cycles)),
      regions_(region_addresses(*program_)),
      code_(walk),
      costs_(*program_, chip),
      network_(chip),
      memory_(memory_of(chip, device, network_, clock_)),
      shared_(shared_of(chip)),
      exact_(std::move(exact)),
      cache_(chip.cache.bytes),
      hit_(clock_.of_femtoseconds(chip.cache.latency_femtoseconds)),
      statistics_(*program_, chip) {
  if (options.extrapolate && !exact_) steady_.emplace(walk, static_cast<size_t>(chip.cores));
  cores_.reserve(static_cast<size_t>(chip.cores));
  for (int64_t core = 0; core < chip.cores; ++core) {
    cores_.push_back(
        {.sequencer = isa::Sequencer(walk, core, chip.cores), .fetch = Fetch(code_, chip.sequencer, clock_)});
    Core& state = cores_.back();
    state.sequencer.limit(4 * options.instruction_budget);  // Loops around nothing but `let` issue nothing.
    state.time = launch_;
    state.tiles.resize(static_cast<size_t>(chip.scratchpad.accumulator_tiles));
    for (size_t i = 0; i < std::min<size_t>(isa::semaphores, program_->semaphores.size()); ++i)
      state.counts[i] = program_->semaphores[i].initial;
  }
}

void Machine::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<Timing> Machine::run() {
  for (uint32_t core = 0; core < cores_.size(); ++core) issue(core, launch_);
  while (!error_) {
    if (exact_) {
      while (const auto report = exact_->advance(events_.next())) served(*report);
    }
    if (events_.empty()) break;
    const Event event = events_.pop();
    if (event.time > longest - skipped_) return Error{"run.range", "the program runs for more than 10^14 cycles"};
    handle(event);
  }
  if (!error_) error_ = stuck();
  if (error_) return *error_;
  if (options_.slices) {
    fill_in(*options_.slices);
    std::stable_sort(options_.slices->begin(), options_.slices->end(),
                     [](const Slice& a, const Slice& b) { return a.begin < b.begin; });
  }
  Timing timing = statistics_.timing(launch_, network_.hop_bytes());
  timing.extrapolated = extrapolated_;
  return timing;
}

void Machine::handle(const Event& event) {
  const uint32_t core = event.core();
  switch (event.kind) {
    case Event::Kind::wake: {
      Time& wake_at = cores_[core].queues[event.queue].wake_at;
      if (wake_at == event.time) wake_at = never;
      advance(core, event.queue, event.time);
      break;
    }
    case Event::Kind::signal:
      deliver(core, event.data, false, event.time);
      break;
    case Event::Kind::broadcast:
      deliver(core, event.data, true, event.time);
      break;
    case Event::Kind::request:
      request(core, event.queue, event.time);
      break;
    case Event::Kind::piece:
      ask(core, event.queue, event.time);
      break;
    case Event::Kind::passage:
      pass(core, event.queue, event.data, event.time);
      break;
    case Event::Kind::retire:
      retire(core, event.queue, event.time);
      break;
  }
}

/// The sequencer runs ahead of time: as only it fills queues, a queue that has a place now still has one then.
void Machine::issue(uint32_t core, Time now) {
  Core& state = cores_[core];
  state.time = std::max(state.time, now);
  while (!state.halted && !error_) {
    if (!state.next) {
      state.next = state.sequencer.next();
      if (!state.next) {
        state.halted = true;
        if (state.sequencer.error()) fail(*state.sequencer.error());
        return;
      }
      if (++issued_ > options_.instruction_budget)
        return fail({"run.budget",
                     fmt::format("more than {} instructions", options_.instruction_budget),
                     {},
                     "raise the budget, or look for a loop that is too long"});
      const size_t to = state.sequencer.index();
      state.time = state.fetch.go(state.last, to, state.time, !state.started);
      state.time += issue_ + let_ * (int64_t{state.sequencer.lets()} + state.sequencer.controls());
      state.started = true;
      state.last = to;
      state.held_from = state.time;
      if (steady_) come_to(core);
    }
    if (!place(core, state)) return;
  }
}

/// Puts the held instruction into its queue; false where that is full.
bool Machine::place(uint32_t core, Core& state) {
  const uint8_t queue = number(state.next->queue);
  QueueState& target = state.queues[queue];
  if (target.entries.size() >= static_cast<uint64_t>(chip_->sequencer.queue_depth)) return false;
  const bool was_empty = target.entries.empty();
  Entry& entry = target.entries.push();
  entry.order = state.issued++;
  entry.held_from = clock_.edge(state.held_from);
  entry.issued = clock_.edge(state.time);
  entry.skipped = skipped_;
  decode(state, entry);
  tally(core, entry);
  if (steady_) steady_->issued(core, queue, signature_of(entry));
  if (was_empty) wake(core, state, queue, entry.issued);
  state.next = nullptr;
  return true;
}

void Machine::decode(Core& state, Entry& entry) {
  const isa::Instruction& in = *state.next;
  entry.instruction = static_cast<uint32_t>(state.sequencer.index());
  entry.layer = layer_of(entry.instruction);
  entry.ready = never;
  entry.emits = false;
  statistics_.issued(in.op);
  entry.idle = in.op == isa::Opcode::sync || state.sequencer.dropped(in);
  if (entry.idle) return;
  isa::resolve(state.sequencer, in, boxes_);
  entry.idle = boxes_.idle;
  if (entry.idle) return;
  if (Status status = isa::check(*program_, state.sequencer, in, boxes_); !status) return fail(status.error());
  if (is_dma(number(in.queue))) return plan(in, entry);
  entry.cost = costs_.of(state.sequencer, in);
  entry.idle = entry.cost.idle;
  entry.emits = in.queue == isa::Queue::matrix && state.sequencer.number(in.fields[isa::at::emit]) != 0;
  if (entry.cost.cycles >= rules::forever || entry.cost.emit >= rules::forever)
    fail({"limits.unit",
          fmt::format("{} has no unit for {} of {}", chip_->name, isa::row_of(in.op)->name, name_of(entry.cost.type)),
          isa::place_of(*program_, entry.instruction), "compile the model for this chip, or with another precision"});
}

/// Counts what an instruction does, once it is in its queue.
void Machine::tally(uint32_t core, const Entry& entry) {
  if (entry.idle || error_) return;
  const isa::Queue queue = program_->code[entry.instruction].queue;
  if (!isa::is_dma(queue)) return statistics_.worked(core, entry.layer, queue, entry.cost, entry.emits);
  statistics_.copied(entry.transfer);
  if (!entry.sharing.is_shared() || entry.sharing.first(core) == core) statistics_.moved(entry.layer, entry.transfer);
}

void Machine::wake(uint32_t core, Core& state, uint8_t queue, Time at) {
  if (at >= state.queues[queue].wake_at) return;
  state.queues[queue].wake_at = at;
  events_.push(at, core, Event::Kind::wake, queue);
}

/// Starts whatever the queue can start now.
void Machine::advance(uint32_t core, uint8_t queue, Time now) {
  Core& state = cores_[core];
  QueueState& own = state.queues[queue];
  state.parked = static_cast<uint8_t>(state.parked & ~(1u << queue));
  while (!own.entries.empty() && !error_) {
    Entry& head = own.entries.front();
    if (head.issued > now) return wake(core, state, queue, head.issued);
    const auto& waits = program_->code[head.instruction].waits;
    const bool met = std::all_of(waits.begin(), waits.end(),
                                 [&](const isa::Sync& wait) { return state.counts[wait.id] >= wait.count; });
    if (!met) {
      state.parked = static_cast<uint8_t>(state.parked | 1u << queue);
      return;
    }
    if (head.ready == never) head.ready = now;
    if (is_dma(queue)) {
      if (own.active.size() >= static_cast<uint64_t>(chip_->dma.outstanding)) return;  // Retiring comes back here.
    } else if (const Time free = unit_free(state, queue, head); free > now) {
      return wake(core, state, queue, free);
    }
    for (const isa::Sync& wait : waits) state.counts[wait.id] -= wait.count;
    if (is_dma(queue))
      start_transfer(core, state, queue, head, now);
    else
      start(core, state, queue, head, now);
    own.entries.pop();
    own.free = std::max(own.free, now);
    if (state.next && number(state.next->queue) == queue) issue(core, now);
  }
}

void Machine::deliver(uint32_t core, uint32_t instruction, bool everywhere, Time now) {
  Core& state = cores_[core];
  for (const isa::Sync& signal : program_->code[instruction].signals)
    if (signal.everywhere == everywhere) state.counts[signal.id] += signal.count;
  for (uint8_t queue = 0, parked = state.parked; parked != 0; ++queue, parked = static_cast<uint8_t>(parked >> 1))
    if (parked & 1u) advance(core, queue, now);
}

/// Everything that follows from an instruction's end being known.
void Machine::finish(uint32_t core, uint8_t queue, const Issued& what, const Course& course) {
  const auto late = [&](Time time) { return time + what.skipped; };
  statistics_.ran(what.layer, late(course.begin), late(course.end));
  if (steady_) steady_->ended(core, queue, what.order, late(course.end), network_.hop_bytes());
  bool own = false, all = false;
  for (const isa::Sync& signal : program_->code[what.instruction].signals)
    if (signal.count > 0) (signal.everywhere ? all : own) = true;
  const Time visible = course.end + signal_;
  if (own) events_.push(visible, core, Event::Kind::signal, queue, what.instruction);
  if (all)
    for (uint32_t to = 0; to < cores_.size(); ++to)
      events_.push(visible + network_.distance(core, to), to, Event::Kind::broadcast, queue, what.instruction);
  if (!options_.slices) return;
  const int64_t begin = clock_.until(late(course.begin));
  options_.slices->push_back({.core = core,
                              .queue = static_cast<isa::Queue>(queue),
                              .instruction = what.instruction,
                              .order = what.order,
                              .held_from = clock_.until(late(what.held_from)),
                              .issued = clock_.until(late(what.issued)),
                              .begin = begin,
                              .end = clock_.until(late(course.end)),
                              .waited_from = std::min(clock_.until(late(course.waited_from)), begin),
                              .asked = clock_.until(late(std::max(course.asked_at, course.begin))),
                              .meeting = course.meeting,
                              .on_chip = course.on_chip});
}

/// Nothing more will happen: either all is done, or the oldest waiting instruction waits for ever.
std::optional<Error> Machine::stuck() {
  const Entry* oldest = nullptr;
  uint32_t oldest_core = 0;
  for (uint32_t core = 0; core < cores_.size(); ++core)
    for (QueueState& queue : cores_[core].queues) {
      if (queue.entries.empty() || (oldest && oldest->issued <= queue.entries.front().issued)) continue;
      oldest = &queue.entries.front();
      oldest_core = core;
    }
  if (!oldest) return {};
  std::string text = "a wait is never met:";
  for (const isa::Sync& wait : program_->code[oldest->instruction].waits) {
    const int32_t count = cores_[oldest_core].counts[wait.id];
    if (wait.count > count)
      text += fmt::format(" semaphore {} has {} of {}",
                          wait.id < program_->semaphores.size() ? printable(program_->semaphores[wait.id].name)
                                                                : std::to_string(wait.id),
                          count, wait.count);
  }
  return Error{"sync.C1", fmt::format("{} (core {})", text, oldest_core),
               isa::place_of(*program_, oldest->instruction)};
}

}  // namespace hadal::machine::timing
