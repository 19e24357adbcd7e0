// Programs with one synchronisation less, or a weaker one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "isa/program.h"

namespace hadal::bench {

struct Mutant {
  std::string kind;          ///< "wait dropped" …
  uint32_t instruction = 0;  ///< The one that was changed, or that it was taken from.
  std::function<void(isa::Program&)> change;
};

/// Every mutant of every wait, signal and semaphore: dropped; a count less; a wait only at the queue's next
/// instruction; a signal already at the queue's instruction before; `everywhere` only here; a count more from the
/// start; a semaphore without waits and signals. The last three kinds and those that move leave all counts in balance.
std::vector<Mutant> mutants_of(const isa::Program& program);

}  // namespace hadal::bench
