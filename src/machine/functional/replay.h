// A program's instructions as kernel calls with everything found: what a run costs is its kernels.
//
// Calls that follow each other are grouped in units. A thread takes a unit, waits until those that it needs are done,
// and does it. Units stand in an order in which they could be done one by one, and need only earlier ones; a unit that
// is needed and that nobody has taken is done by who needs it. So a thread waits only for what others are doing, and
// one that the system holds back holds nobody else.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "machine/functional/events.h"
#include "machine/functional/kernel.h"
#include "machine/functional/memory.h"
#include "machine/functional/team.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

/// One instruction that does work.
struct Step {
  Step(Kernel k, const Call& c) : kernel(k), call(c) {}
  Kernel kernel;
  Call call;
  std::vector<isa::Box> boxes;
  std::unique_ptr<isa::Instruction> own;  ///< The call's, where registers were put in.
  std::vector<Found> found;               ///< Of each thread, for matrix instructions.
};

struct Unit {
  size_t begin = 0, end = 0;    ///< Steps.
  std::vector<uint32_t> needs;  ///< Earlier units.
};

class Replay {
 public:
  /// Nothing where the program fails, or is too long.
  static std::unique_ptr<Replay> of(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores,
                                    std::vector<std::unique_ptr<Worker>>& workers);

  /// Runs once, on memory that is bound; what is left is dropped where `cancelled`. Errors: those of kernels.
  Status run(Team& team, const Memory& memory, const std::atomic<bool>& cancelled);
  /// Of a run; `tick` is the length of a clock tick in seconds.
  [[nodiscard]] ValueCounts counts(double tick) const;

 private:
  friend class Planner;
  explicit Replay(std::vector<std::unique_ptr<Worker>>& workers) : workers_(workers), lanes_(workers.size()) {}

  /// An operand in a region whose place differs from run to run.
  struct Moving {
    Operand* operand;
    uint16_t region;
    std::byte* base;
  };
  struct alignas(64) Lane {
    uint64_t kernel_ticks = 0;
  };
  void follow(const Memory& memory);
  void work(size_t thread);
  bool take(size_t unit);
  void perform(size_t unit, size_t thread);
  Status perform(Step& step, size_t thread);
  void fail(size_t unit, Error error);

  std::vector<std::unique_ptr<Worker>>& workers_;
  std::deque<Step> steps_;  ///< Their calls hold references.
  std::vector<Unit> units_;
  std::vector<size_t> rounds_;  ///< The first unit of each round, and the number of all.
  std::vector<Moving> moving_;
  ValueCounts counts_;
  bool alone_ = false;  ///< Too little to share: one thread does all, and the others are not woken.

  // Of a run.
  uint32_t run_ = 0;
  std::vector<std::atomic<uint32_t>> states_;  ///< Of each unit: 2 * run where taken in that run, and one more if done.
  std::vector<Lane> lanes_;                    ///< Of each thread.
  std::atomic<bool> stop_{false};
  const std::atomic<bool>* cancelled_ = nullptr;
  std::mutex mutex_;  ///< Over the error.
  std::optional<Error> error_;
  size_t failed_ = 0;  ///< The unit of the error.
};

}  // namespace hadal::machine
