// Gradients, and steps of optimisers: inputs R (rate), T (updates so far), then X, G and states of each tensor in turn.
#include "graph/differentiate.h"
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

constexpr std::string_view domain = "ai.onnx.preview.training";

/// Inputs come in groups of `kinds` lists, outputs in groups of those without the gradients.
template <class Update>
Values each_tensor(Site& n, size_t kinds, Update update) {
  const size_t given = n.inputs.size() - 2, count = given / kinds;
  if (count * kinds != given || count == 0) fail("onnx.inputs", "{} tensors, expected a multiple of {}", given, kinds);
  for (size_t i = 0; i < n.inputs.size(); ++i)
    if (!n.has(i)) fail("onnx.inputs", "input {} is missing", i);
  Values out((kinds - 1) * count);
  for (size_t i = 0; i < count; ++i) {
    std::vector<Term> operands;
    for (size_t k = 0; k < kinds; ++k) operands.push_back(input(n, 2 + k * count + i));
    const std::vector<Term> results = update(operands);
    for (size_t k = 0; k < results.size(); ++k) out[k * count + i] = results[k].id;
  }
  return out;
}

/// The gradient with that of norm_coefficient / 2 * |X|^2.
Term regularised(const Site& n, const Term& x, const Term& gradient) {
  return x * n.number("norm_coefficient") + gradient;
}

Values adagrad(Site& n) {
  return each_tensor(n, 3, [&](const std::vector<Term>& in) -> std::vector<Term> {
    const Term &x = in[0], gradient = regularised(n, x, in[1]);
    const Term rate = input(n, 0) / (input(n, 1).as(n.b.dtype(n[0])) * n.number("decay_factor") + 1);
    const Term squares = in[2] + gradient * gradient;
    const Term root = squares.apply(ops::sqrt) + n.number("epsilon", 1e-6);
    return {x - rate.as(x.dtype()) * gradient / root, squares};
  });
}

/// The biases of both means are corrected after the first update.
Values adam(Site& n) {
  const double alpha = n.number("alpha", 0.9), beta = n.number("beta", 0.999);
  return each_tensor(n, 4, [&](const std::vector<Term>& in) -> std::vector<Term> {
    const Term &x = in[0], gradient = regularised(n, x, in[1]);
    const Term mean = in[2] * alpha + gradient * (1 - alpha);
    const Term square = in[3] * beta + gradient * gradient * (1 - beta);
    const Term rate = input(n, 0), updates = input(n, 1).as(rate.dtype());
    const auto power = [&](double base) { return updates.number(base).apply(ops::pow, updates); };
    const Term corrected = rate * (1 - power(beta)).apply(ops::sqrt) / (1 - power(alpha));
    const Term used = where(updates > 0, corrected, rate).as(x.dtype());
    const Term moved = x - used * (mean / (square.apply(ops::sqrt) + n.number("epsilon", 1e-6)));
    return {moved * (1 - n.number("norm_coefficient_post")), mean, square};
  });
}

/// The first update takes the whole gradient.
Values momentum(Site& n) {
  const double alpha = n.attribute("alpha").number, beta = n.attribute("beta").number;
  const std::string mode = n.text("mode");
  if (mode != "standard" && mode != "nesterov") fail("onnx.attribute", "mode: '{}' is not known", printable(mode));
  return each_tensor(n, 3, [&](const std::vector<Term>& in) -> std::vector<Term> {
    const Term &x = in[0], gradient = regularised(n, x, in[1]);
    const Term share = where(input(n, 1) > 0, x.number(beta), x.number(1));
    const Term velocity = in[2] * alpha + share * gradient;
    const Term step = mode == "nesterov" ? gradient + velocity * alpha : velocity;
    return {x - input(n, 0).as(x.dtype()) * step, velocity};
  });
}

/// Of the sum of y's elements by each of xs, which the inputs are.
Values gradient(Site& n) {
  const std::vector<std::string>& xs = n.attribute("xs").texts;
  if (xs.size() > n.inputs.size()) fail("onnx.inputs", "{} inputs for {} of xs", n.inputs.size(), xs.size());
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    const bool is_x = i < xs.size();
    if (!n.has(i) || (is_x && n.named(xs[i]) != n[i]))
      fail("onnx.unsupported", "the gradient at a value other than that of '{}' is not supported",
           is_x ? printable(xs[i]) : "zs");
  }
  const ValueId y = n.named(n.text("y"));
  if (!is_tensor(y) || !is_float(n.b.dtype(y))) fail("onnx.type", "y is no tensor of floats");
  Integers all;
  for (int64_t axis = 0; axis < n.b.rank(y); ++axis) all.push_back(axis);
  const ValueId sum = n.b.rank(y) == 0 ? y : n.b.reduce(y, "sum", all, false);
  const Values by(n.inputs.begin(), n.inputs.begin() + std::ssize(xs));
  Values out = graph::differentiate(n.b, sum, by);
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i] == absent) out[i] = n.b.constant(n.b.filled(n.b.dtype(by[i]), n.b.shape(by[i]), 0));
  return out;
}

constexpr Operator rows[] = {
    {"Adagrad", adagrad, "add sub mul div sqrt cast", 5, any_number, "decay_factor:f epsilon:f norm_coefficient:f",
     domain},
    {"Adam", adam, "add sub mul div sqrt pow where greater cast", 6, any_number,
     "alpha:f beta:f epsilon:f norm_coefficient:f norm_coefficient_post:f", domain},
    {"Gradient", gradient,
     "matmul conv reduce add sub mul div neg where equal pad slice reshape transpose broadcast cast", 1, any_number,
     "xs:ss y:s zs:ss", domain},
    {"Momentum", momentum, "add sub mul where greater cast", 5, any_number, "alpha:f beta:f mode:s norm_coefficient:f",
     domain},
};

}  // namespace

std::span<const Operator> training_operators() { return rows; }

}  // namespace hadal::onnx
