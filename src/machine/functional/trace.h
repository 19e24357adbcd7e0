// A program's instructions as lists of kernel calls, one list a host thread, with everything found: what a run costs is
// its kernels.
//
// The lists hold each core's instructions in program order. Where the order between threads matters, because of a
// semaphore or of a load that is read in place, a step names how far other threads must be.
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

struct Step {
  /// So many steps of a thread are done.
  struct Need {
    uint32_t thread = 0, steps = 0;
  };
  std::vector<Need> needs;
  bool awaited = false;     ///< Another thread waits for this one.
  Kernel kernel = nullptr;  ///< Null: only the needs.
  std::optional<Call> call;
  std::vector<isa::Box> boxes;
  std::unique_ptr<isa::Instruction> own;
  Found found;
};

/// What one thread does in a run.
struct alignas(64) Lane {
  std::deque<Step> steps;  ///< Their calls hold references.
  std::atomic<uint32_t> done{0};
  uint64_t kernel_ticks = 0;
  std::optional<Error> error;
};

class Trace {
 public:
  /// Nothing where the program fails, or is too long.
  static std::unique_ptr<Trace> of(const isa::Walk& walk, const ValueOptions& options, Memory& memory, size_t cores,
                                   const std::vector<std::unique_ptr<Worker>>& workers);

  /// Runs once, on memory that is bound. Errors: those of kernels.
  Status run(Team& team, const Memory& memory);
  /// Of a run; `tick` is the length of a clock tick in seconds.
  [[nodiscard]] ValueCounts counts(double tick) const;

 private:
  friend class Planner;
  /// An operand in a region whose place differs from run to run.
  struct Moving {
    Operand* operand;
    uint16_t region;
    std::byte* base;
  };
  void follow(const Memory& memory);
  void replay(size_t thread);
  Status step(Lane& lane, Step& step);

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Moving> moving_;
  ValueCounts counts_;
  bool alone_ = false;  ///< The first thread does all: the others are not woken.
  std::atomic<bool> stop_{false};
};

}  // namespace hadal::machine
