#include "machine/functional/trace.h"

#include <exception>
#include <new>

#include "machine/functional/clock.h"

namespace hadal::machine {

/// Points operands to where their regions are now.
void Trace::follow(const Memory& memory) {
  for (Moving& moving : moving_) {
    std::byte* base = memory.base(moving.region);
    moving.operand->data += base - moving.base;
    moving.base = base;
  }
}

Status Trace::step(Lane& lane, Step& step) {
  try {
    const uint64_t start = ticks_now();
    Status status = step.kernel(*step.call);
    lane.kernel_ticks += ticks_now() - start;
    return status;
  } catch (const std::bad_alloc&) {
    return Error{"machine.memory", "the host has not enough memory for the buffers of a kernel"};
  } catch (const std::exception& error) {
    return Error{"machine.kernel", fmt::format("a kernel failed: {}", printable(error.what()))};
  }
}

void Trace::replay(size_t thread) {
  Lane& lane = *lanes_[thread];
  uint32_t done = 0;
  for (Step& next : lane.steps) {
    for (const Step::Need& need : next.needs)
      await(lanes_[need.thread]->done, [&](uint32_t steps) { return steps >= need.steps; });
    if (!next.needs.empty() && stop_.load(std::memory_order_relaxed)) return;
    if (next.kernel)
      if (Status status = step(lane, next); !status) {
        lane.error = std::move(status).error();
        stop_.store(true);
        break;
      }
    ++done;
    if (!next.awaited) continue;
    lane.done.store(done, std::memory_order_release);
    lane.done.notify_all();
  }
  // Nobody waits for a thread that has ended, whether well or not.
  lane.done.store(UINT32_MAX, std::memory_order_release);
  lane.done.notify_all();
}

Status Trace::run(Team& team, const Memory& memory) {
  follow(memory);
  stop_ = false;
  for (const auto& lane : lanes_) {
    lane->done = 0;
    lane->kernel_ticks = 0;
    lane->error.reset();
  }
  const auto work = [this](size_t thread) {
    const SingleThreaded single;
    replay(thread);
  };
  if (alone_)
    work(0);
  else
    team.run(work);
  for (const auto& lane : lanes_)
    if (lane->error) return *std::move(lane->error);
  return {};
}

ValueCounts Trace::counts(double tick) const {
  ValueCounts counts = counts_;
  for (const auto& lane : lanes_) counts.kernel_seconds += static_cast<double>(lane->kernel_ticks) * tick;
  return counts;
}

}  // namespace hadal::machine
