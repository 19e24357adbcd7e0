// The values of a program on a chip, run after run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chip/chip.h"
#include "machine/functional/run.h"
#include "runtime/load.h"

namespace hadal::runtime {

struct ValueSettings {
  int threads = 1;           ///< Of this computer.
  bool exact = false;        ///< Instructions as plain loops.
  int64_t memory_limit = 0;  ///< Bytes.
  std::string place = {};    ///< The file, for errors.
};

/// The cores that run: as many as the program was verified for. More would run code that nobody looked at.
int64_t cores_of(const isa::Program& program, const chip::Chip& chip);

/// Bytes that computing a program's values needs: its memory, its weights, and the cores' scratchpads.
int64_t memory_needed(const isa::Program& program, const chip::Chip& chip);

/// How the machine computes a program's values for these settings. Errors: memory.limit, program.weights (a weight has
/// no values).
Result<machine::ValueOptions> value_options(const isa::Program& program, const chip::Chip& chip,
                                            const ValueSettings& settings);

class Values {
 public:
  /// The program outlives it. Errors: those of value_options (before anything of that size is allocated), run.cores.
  static Result<Values> of(const isa::Program& program, const chip::Chip& chip, const ValueSettings& settings);

  /// Inputs and outputs are of the ports' own types and shapes, in the program's order; an input's bytes are read where
  /// they are if the program stores its type. An input of a state may be absent (without bytes): it is then what the
  /// last run left, at first 0; a given one is copied. Outputs of states are absent. One run at a time. Errors: the
  /// machine's; a run that fails leaves states undefined.
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, machine::ValueCounts& counts);
  /// A copy of what a state's next run will find, of the port's own type.
  [[nodiscard]] Tensor state(const isa::State& state) const;
  /// All states are 0 again.
  void reset();
  machine::ValueMachine& machine() { return *machine_; }
  /// Inputs as the machine takes them, states among them.
  std::vector<Tensor> bind(std::vector<Tensor> inputs);

 private:
  const isa::Program* program_ = nullptr;
  std::unique_ptr<machine::ValueMachine> machine_;
  std::vector<Tensor> states_;  ///< As stored; nobody else holds those that change in place.
};

/// run.precision: values of a model in floats at an integer precision.
bool lacks_scales(const Source& source);
Error needs_scales(const Source& source);

}  // namespace hadal::runtime
