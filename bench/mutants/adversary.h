// Executes a program in orders that its semaphores allow and that are as unlike program order as can be: what a race
// can do to the values.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "isa/program.h"
#include "machine/functional/worker.h"

namespace hadal::bench {

/// Which of the instructions that could begin does.
struct Schedule {
  std::array<isa::Queue, 6> queues{};  ///< The first that has one goes on.
  bool last_core_first = false;
  std::optional<uint32_t> first = {};  ///< This instruction of the code goes before all others;
  std::optional<uint32_t> last = {};   ///< this one only where no other can begin.
  std::optional<uint64_t> seed = {};   ///< By chance instead of by queues.
};

/// Each queue before and behind all others, cores in both orders, and some by chance.
std::vector<Schedule> schedules_of(uint64_t seed);
/// Those, with an instruction before and behind all others.
std::vector<Schedule> schedules_around(uint32_t instruction, uint64_t seed);

class Adversary {
 public:
  /// Program and weights outlive it.
  static Result<std::unique_ptr<Adversary>> of(const isa::Program& program);
  Adversary(const Adversary&) = delete;
  Adversary& operator=(const Adversary&) = delete;
  ~Adversary();

  /// Values in the order of the schedule: queues of any depth, each instruction done at once when its waits are met.
  /// Errors: adversary.deadlock; those of kernels.
  [[nodiscard]] Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, const Schedule& schedule) const;

 private:
  struct Item;
  class Execution;
  explicit Adversary(const isa::Program& program);

  const isa::Program* program_;
  std::vector<std::vector<Item>> lines_;  ///< Instructions of each core's queues.
  std::vector<machine::ChainPlan> chains_;
  std::unique_ptr<machine::SharedPrimitives> primitives_;
  std::unique_ptr<machine::Worker> worker_;
};

}  // namespace hadal::bench
