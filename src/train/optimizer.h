// Optimisers as graph: what a step makes of a parameter and its gradient.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/term.h"

namespace hadal::train {

struct OptimizerOptions {
  double rate = 0.01;  ///< Learning rate.
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

/// Scalars that change from step to step, which the host gives: with t the number of the step, from 1.
struct Schedule {
  graph::Term rate;             ///< Learning rate.
  graph::Term mean_correction;  ///< 1 / (1 - beta1^t).
  graph::Term root_correction;  ///< 1 / sqrt(1 - beta2^t).
};
inline constexpr std::string_view schedule_names[] = {"rate", "mean_correction", "root_correction"};
/// Their values, in that order.
std::vector<double> schedule_at(const OptimizerOptions& options, int64_t step);

struct Optimizer {
  std::string_view name, formula;
  /// Names of the state that it keeps for each parameter, of its shape and zero at first.
  std::vector<std::string_view> (*states)(const OptimizerOptions&);
  /// From a parameter, its gradient and states: the new parameter, then the new states.
  std::vector<graph::Term> (*update)(const graph::Term& parameter, const graph::Term& gradient,
                                     const std::vector<graph::Term>& states, const Schedule&, const OptimizerOptions&);
};
std::span<const Optimizer> optimizers();
/// The row of that name, or null.
const Optimizer* optimizer_named(std::string_view name);

}  // namespace hadal::train
