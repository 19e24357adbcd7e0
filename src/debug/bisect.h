// Which layer of a program is the first to compute something else than its graph.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compile/lowered.h"
#include "isa/program.h"
#include "machine/functional/run.h"

namespace hadal::debug {

/// A stored value that is not what the reference makes of the values that the chip had stored before.
struct Difference {
  size_t layer = 0;
  std::string value = {};
  double error = 0, tolerance = 0;   ///< max |got - want| / max |want|.
  int64_t beyond = 0, elements = 0;  ///< Elements whose error is beyond the tolerance, of how many.
  std::vector<int64_t> index = {};   ///< Of the element that is furthest off, by the dims of the value.
  double expected = 0, got = 0;      ///< That element.
  bool stored = true;                ///< False: the run ended before the layer had stored it.
};

struct Bisection {
  size_t layers = 0, values = 0;             ///< That were compared.
  std::vector<Difference> differences = {};  ///< In the order of layers.
  std::optional<Error> failure = {};         ///< What ended the run early.
};

/// Runs the program, and compares every value that a layer stores, when the layer has stored it, with the reference
/// evaluation of the layer's nodes on what the chip had stored before: errors do not add up from layer to layer, and
/// what one layer does wrong is not held against those behind it. Within a layer the reference computes narrow floats
/// in f32, as the chip does. `tolerance` absent: runtime::default_tolerance of the value's type; integers must be
/// equal. Inputs are of the types that the program stores. Errors: debug.model, a program that was not compiled from
/// the graph; those of Stepper::make; graph.reference.
Result<Bisection> bisect(const isa::Program& program, const isa::Program& compiled, const compile::Lowered& lowered,
                         int64_t cores, const machine::ValueOptions& options, const std::vector<Tensor>& inputs,
                         std::optional<double> tolerance);

/// What `hadal debug --bisect` prints.
std::string text_of(const Bisection& bisection, const isa::Program& program);

}  // namespace hadal::debug
