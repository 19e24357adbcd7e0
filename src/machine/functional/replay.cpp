#include "machine/functional/replay.h"

#include <exception>
#include <new>

#include "machine/functional/clock.h"

namespace hadal::machine {

/// Points operands to where their regions are now.
void Replay::follow(const Memory& memory) {
  for (Moving& moving : moving_) {
    std::byte* base = memory.base(moving.region);
    moving.operand->data += base - moving.base;
    moving.base = base;
  }
}

bool Replay::take(size_t unit) {
  uint32_t state = states_[unit].load(std::memory_order_relaxed);
  return state < 2 * run_ && states_[unit].compare_exchange_strong(state, 2 * run_);
}

Status Replay::perform(Step& step, size_t thread) {
  step.call.worker = workers_[thread].get();
  step.call.found = step.found.empty() ? nullptr : &step.found[thread];
  try {
    const uint64_t start = ticks_now();
    Status status = step.kernel(step.call);
    lanes_[thread].kernel_ticks += ticks_now() - start;
    return status;
  } catch (const std::bad_alloc&) {
    return Error{"machine.memory", "the host has not enough memory for the buffers of a kernel"};
  } catch (const std::exception& error) {
    return Error{"machine.kernel", fmt::format("a kernel failed: {}", printable(error.what()))};
  }
}

void Replay::perform(size_t unit, size_t thread) {
  const uint32_t done = 2 * run_ + 1;
  for (const uint32_t need : units_[unit].needs) {
    if (take(need)) perform(need, thread);
    await(states_[need], [&](uint32_t state) { return state == done; });
  }
  const auto goes_on = [&] {
    return !stop_.load(std::memory_order_relaxed) && !cancelled_->load(std::memory_order_relaxed);
  };
  for (size_t i = units_[unit].begin; i < units_[unit].end && goes_on(); ++i)
    if (Status status = perform(steps_[i], thread); !status) fail(unit, std::move(status).error());
  states_[unit].store(done, std::memory_order_release);
  states_[unit].notify_all();
}

/// Of several errors the first in the units' order is kept.
void Replay::fail(size_t unit, Error error) {
  const std::lock_guard lock(mutex_);
  if (!error_ || unit < failed_) {
    error_ = std::move(error);
    failed_ = unit;
  }
  stop_.store(true);
}

/// Each thread begins a round at another place, the same in all rounds: it finds in its caches what it wrote.
void Replay::work(size_t thread) {
  const SingleThreaded single;
  for (size_t round = 0; round + 1 < rounds_.size(); ++round) {
    const size_t begin = rounds_[round], count = rounds_[round + 1] - begin;
    const size_t first = count * thread / lanes_.size();
    for (size_t i = 0; i < count; ++i) {
      const size_t unit = begin + (first + i) % count;
      if (take(unit)) perform(unit, thread);
    }
  }
}

Status Replay::run(Team& team, const Memory& memory, const std::atomic<bool>& cancelled) {
  follow(memory);
  cancelled_ = &cancelled;
  ++run_;
  stop_ = false;
  error_.reset();
  for (Lane& lane : lanes_) lane.kernel_ticks = 0;
  if (alone_)
    work(0);
  else
    team.run([this](size_t thread) { work(thread); });
  if (error_) return *std::move(error_);
  return {};
}

ValueCounts Replay::counts(double tick) const {
  ValueCounts counts = counts_;
  for (const Lane& lane : lanes_) counts.kernel_seconds += static_cast<double>(lane.kernel_ticks) * tick;
  return counts;
}

}  // namespace hadal::machine
