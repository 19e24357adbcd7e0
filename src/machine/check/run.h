// The checking machine: whether queues, cores and transfers, in whatever order their semaphores leave open, can change
// a value. It computes none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::machine {

/// An executed instruction.
struct Site {
  uint32_t core = 0, instruction = 0;
};

struct Finding {
  std::string rule;         ///< Label in docs/isa.md.
  std::string message;      ///< What is wrong, and with which bytes or which semaphore.
  std::vector<Site> sites;  ///< The instructions that meet, the one that comes later in program order first.
  uint64_t times = 1;       ///< How often the same instructions met.
};

struct CheckOptions {
  uint64_t instruction_budget = uint64_t{1} << 25;  ///< Of all cores; each takes some 60 bytes while it is checked.
  size_t most = 100;                                ///< Findings that are told.
  int64_t memory_limit = INT64_MAX;                 ///< Bytes of this computer.
};

struct Checked {
  std::vector<Finding> findings;  ///< In the order of the walk.
  uint64_t instructions = 0;      ///< Executed by the engines of all cores.
  uint64_t accesses = 0;          ///< Of operands to bytes that programs write.
};

/// Walks the program without values and orders its instructions by queues, semaphores and shared loads: two that no
/// chain of these orders may meet in any order. The program has passed isa::verify_static; `cores` meets its limits.
/// Errors: check.budget, check.memory: it is too long, or its memory too large, to be checked.
Result<Checked> check_program(const isa::Program& program, int64_t cores, const CheckOptions& options = {});

/// A finding as an error: its instructions with core, layer, line of the source text and model nodes, one a line.
Error error_of(const isa::Program& program, const Finding& finding);

/// All findings in one error, or none.
Status status_of(const isa::Program& program, const Checked& checked);

}  // namespace hadal::machine
