// One mutant: what the check says of it, and whether it can change a value.
#pragma once

#include <vector>

#include "bench/mutants/adversary.h"
#include "bench/mutants/mutate.h"

namespace hadal::bench {

/// What told on a mutant.
enum class Verdict : uint8_t {
  race,      ///< An access that nothing orders.
  deadlock,  ///< It cannot end, in program order.
  counts,    ///< Only that semaphores do not end as they began.
  clean,     ///< Nothing: other synchronisations order the same accesses.
};

struct Trial {
  Verdict verdict = Verdict::clean;
  bool changes = false;  ///< Some order gave other values.
  size_t orders = 0;     ///< Tried, until one did.
};

/// Checks a mutant. Orders of execution are tried where the check found no race and no deadlock (many, around the
/// changed instruction too), and with `demonstrate` also where it found a race (a few). `inputs` are of the ports'
/// stored types, `wanted` the outputs of the program itself.
Result<Trial> try_mutant(const isa::Program& program, const Mutant& mutant, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& wanted, uint64_t seed, bool demonstrate);

/// Made-up inputs of a program's stored types.
Result<std::vector<Tensor>> some_inputs(const isa::Program& program, uint64_t seed);

/// What a program computes in an order near program order: the yardstick of try_mutant.
Result<std::vector<Tensor>> usual_values(const isa::Program& program, const std::vector<Tensor>& inputs);

}  // namespace hadal::bench
