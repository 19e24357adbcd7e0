// Why a run took as long as it did: the critical path, what each queue waited for, what would help.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "machine/timing/path.h"
#include "report/facts.h"
#include "runtime/levers.h"

namespace hadal::report {

using PathCycles = std::array<int64_t, machine::spent_count>;  ///< By machine::Spent.

/// A queue's time, of the cores that use it at all; shares of the whole run.
struct QueueShare {
  isa::Queue queue = isa::Queue::matrix;
  double busy = 0;     ///< With at least one instruction under way.
  double waiting = 0;  ///< None under way, and the next waits for signals.
  struct Wait {
    std::string semaphore;
    double share = 0;
  };
  std::vector<Wait> waits = {};  ///< What `waiting` is made of, the most first.
};

/// An instruction of the code, over all its runs on all cores.
struct Profile {
  int64_t runs = 0;
  int64_t busy = 0, waiting = 0;  ///< Cycles, summed.
  int64_t path = 0;               ///< Cycles of the critical path.
};

struct Explanation {
  int64_t cycles = 0;
  PathCycles path{};                    ///< Sums to `cycles`.
  std::vector<PathCycles> layers = {};  ///< The same, by layer.
  std::vector<QueueShare> queues = {};
  std::vector<Profile> profile = {};  ///< By instruction.
  std::vector<runtime::Lever> levers = {};
};

/// `outcome` was timed with slices.
Explanation explain(const runtime::Outcome& outcome, std::vector<runtime::Lever> levers);

/// The terminal's text about a model of that name. `layers_most`: the layers with the longest parts of the path.
std::string text_of(const Explanation& explanation, const runtime::Outcome& outcome, const Facts& facts,
                    const std::string& name, size_t layers_most);
/// A layer's code with the profile of each instruction.
std::string layer_text(const Explanation& explanation, const runtime::Outcome& outcome, size_t layer);
/// docs/report.md, "hadal.explain/1".
std::string json_of(const Explanation& explanation, const runtime::Outcome& outcome, const Facts& facts);

}  // namespace hadal::report
