// The functional machine: what a program computes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "isa/budget.h"
#include "isa/program.h"

namespace hadal::machine {

struct ValueOptions {
  int threads = 1;     ///< Host threads; values do not depend on it.
  bool exact = false;  ///< Each instruction as plain loops in a fixed order: its definition.
  uint64_t instruction_budget = isa::instruction_budget;  ///< Executed instructions, all cores; more is an error.
  bool bind_loads = true;  ///< Loads that change nothing are read where they come from, and instructions are looked up
                           ///< once for all runs; values do not depend on it.
  bool round_products_to_bf16 = false;  ///< A chip whose f32 product is one bf16 pass.
};

struct ValueCounts {
  std::map<isa::Opcode, uint64_t> executed;  ///< Instructions, all cores.
  uint64_t macs = 0;                         ///< Multiply-accumulates executed.
  double seconds = 0, kernel_seconds = 0;    ///< Wall time; and the part inside kernels, summed over threads.
  double packing_seconds = 0;  ///< One-time: weights packed, kernels made. Part of neither after the first run.
};

/// A program ready to run: its memory, packed weights and kernels live as long as it does.
class ValueMachine {
 public:
  /// `cores` must meet the program's limits. The program and its weights outlive the machine.
  static Result<std::unique_ptr<ValueMachine>> make(const isa::Program& program, int64_t cores,
                                                    const ValueOptions& options);
  virtual ~ValueMachine() = default;
  /// Runs once. Inputs in the order of program.inputs, in the ports' stored types and row-major shapes; the outputs'
  /// bytes belong to the results. An input of a state that the program changes in place is changed, and its output has
  /// the same bytes. Errors: those of the program (a wait that is never met: sync.C1; an index out of
  /// range …).
  virtual Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, ValueCounts& counts) = 0;
};

}  // namespace hadal::machine
