// The program that is debugged: it runs until something stops it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "debug/breakpoints.h"
#include "debug/layers.h"
#include "machine/functional/stepper.h"

namespace hadal::debug {

class Target {
 public:
  /// Inputs as ValueMachine::run takes them; the program outlives it. Errors: those of Stepper::make and Layers::of.
  static Result<Target> of(const isa::Program& program, int64_t cores, const machine::ValueOptions& options,
                           const std::vector<Tensor>& inputs);

  /// Told of each instruction that has been executed; true: it is enough.
  using Enough = std::function<bool(const machine::Executed&)>;
  /// Goes on until it is enough, a breakpoint stops it, or all cores have halted. Returns the breakpoint's reason, if
  /// that was it. Errors: the program's.
  Result<std::string> run(const Enough& enough);
  /// Executes until each core has executed as many instructions as `wanted` says; others only where those wait for
  /// them. Breakpoints do not stop it. Errors: the program's.
  Status run_to(const std::vector<uint64_t>& wanted);

  [[nodiscard]] const isa::Program& program() const { return *program_; }
  [[nodiscard]] machine::Stepper& stepper() const { return *stepper_; }
  [[nodiscard]] const Layers& layers() const { return layers_; }
  [[nodiscard]] uint64_t executed() const { return executed_; }
  [[nodiscard]] uint64_t executed(size_t core) const { return executed_of_[core]; }
  std::vector<Breakpoint>& breakpoints() { return breakpoints_; }

 private:
  void count(const machine::Executed& executed);

  const isa::Program* program_ = nullptr;
  std::unique_ptr<machine::Stepper> stepper_;
  Layers layers_;
  std::vector<Breakpoint> breakpoints_;
  uint64_t executed_ = 0;
  std::vector<uint64_t> executed_of_;  ///< Of each core.
};

}  // namespace hadal::debug
