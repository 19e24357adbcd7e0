#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace hadal::train {

namespace ops = graph::ops;
using graph::Term;

namespace {

using Names = std::vector<std::string_view>;
using Terms = std::vector<Term>;

Names momentum_state(const OptimizerOptions& options) { return options.momentum != 0 ? Names{"momentum"} : Names{}; }
Names moments(const OptimizerOptions&) { return {"mean", "square"}; }

/// The gradient with that of weight_decay / 2 |w|^2.
Term decayed(const Term& w, const Term& g, const OptimizerOptions& options) {
  return options.weight_decay == 0 ? g : g + w * options.weight_decay;
}

/// Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep learning, 2013; the
/// velocity is of gradients, so that the rate may change.
Terms sgd(const Term& w, const Term& gradient, const Terms& states, const Schedule& at,
          const OptimizerOptions& options) {
  const Term g = decayed(w, gradient, options);
  if (states.empty()) return {w - g * at.rate.as(w.dtype())};
  const Term velocity = states[0] * options.momentum + g;
  const Term step = options.nesterov ? g + velocity * options.momentum : velocity;
  return {w - step * at.rate.as(w.dtype()), velocity};
}

/// Kingma, Ba: Adam, 2015. `kept` is w, or what decay leaves of it.
Terms adam_from(const Term& kept, const Term& g, const Terms& states, const Schedule& at,
                const OptimizerOptions& options) {
  const DType type = kept.dtype();
  const Term mean = states[0] * options.beta1 + g * (1 - options.beta1);
  const Term square = states[1] * options.beta2 + g * g * (1 - options.beta2);
  const Term root = square.apply(ops::sqrt) * at.root_correction.as(type) + options.epsilon;
  return {kept - mean * (at.rate * at.mean_correction).as(type) / root, mean, square};
}
Terms adam(const Term& w, const Term& g, const Terms& states, const Schedule& at, const OptimizerOptions& options) {
  return adam_from(w, decayed(w, g, options), states, at, options);
}
/// Loshchilov, Hutter: Decoupled weight decay regularization, 2019.
Terms adamw(const Term& w, const Term& g, const Terms& states, const Schedule& at, const OptimizerOptions& options) {
  const Term kept = options.weight_decay == 0 ? w : w * (1 - at.rate.as(w.dtype()) * options.weight_decay);
  return adam_from(kept, g, states, at, options);
}

const Optimizer rows[] = {
    {"sgd", "g + decay w; v = momentum v + g; w - rate v (nesterov: w - rate (g + momentum v))", momentum_state, sgd},
    {"adam", "g + decay w; m, s: running means of g, g^2; w - rate m^ / (sqrt(s^) + epsilon)", moments, adam},
    {"adamw", "as adam, but w (1 - rate decay) instead of g + decay w", moments, adamw},
};

}  // namespace

std::vector<double> schedule_at(const OptimizerOptions& options, int64_t step) {
  const auto t = static_cast<double>(step);
  return {options.rate, 1 / (1 - std::pow(options.beta1, t)), 1 / std::sqrt(1 - std::pow(options.beta2, t))};
}

std::span<const Optimizer> optimizers() { return rows; }

const Optimizer* optimizer_named(std::string_view name) {
  const auto found = std::ranges::find(rows, name, &Optimizer::name);
  return found == std::end(rows) ? nullptr : found;
}

}  // namespace hadal::train
