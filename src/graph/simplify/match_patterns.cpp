// Functions that models spell out: normalisation, GELU, SiLU, hard-swish. Constants may be rounded (to bf16), so they
// match within a tolerance.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/ops/support.h"
#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

bool near(std::optional<double> value, double expected) {
  return value && std::fabs(*value - expected) <= 4e-3 * std::fabs(expected);
}

/// The operands of a tree of products: constants multiplied up, the others listed.
struct Product {
  double constant = 1;
  std::vector<ValueId> factors;
};

/// At most eight factors deep and wide: patterns are small.
Product product_of(const Rewrite& r, ValueId root) {
  Product out;
  std::vector<ValueId> open{root};
  for (int steps = 0; !open.empty(); ++steps) {
    const ValueId v = open.back();
    open.pop_back();
    const Node* const node = steps < 8 ? r.maker(v) : nullptr;
    const bool inside = v == root || r.single(v);
    if (const auto number = r.uniform(v)) {
      out.constant *= *number;
    } else if (inside && node && node->op == &ops::mul) {
      open.push_back(node->inputs[1]);
      open.push_back(node->inputs[0]);
    } else if (inside && node && node->op == &ops::div && r.uniform(node->inputs[1])) {
      out.constant /= *r.uniform(node->inputs[1]);
      open.push_back(node->inputs[0]);
    } else if (inside && node && node->op == &ops::pow && near(r.uniform(node->inputs[1]), 3)) {
      out.factors.insert(out.factors.end(), 3, node->inputs[0]);
    } else {
      out.factors.push_back(v);
    }
  }
  return out;
}

/// The product that the node being visited makes.
Product product_of(const Rewrite& r, const Node& node) {
  Product out;
  for (size_t i = 0; i < 2; ++i) {
    if (i == 1 && node.op == &ops::div) {
      const auto divisor = r.uniform(node.inputs[1]);
      if (divisor)
        out.constant /= *divisor;
      else
        out.factors.push_back(absent);  // No pattern has a factor that is absent.
      continue;
    }
    const Product part = product_of(r, node.inputs[i]);
    out.constant *= part.constant;
    out.factors.insert(out.factors.end(), part.factors.begin(), part.factors.end());
  }
  return out;
}

/// x where v = x + number (in any order).
ValueId added_to(const Rewrite& r, ValueId v, double number) {
  const Node* const node = r.maker(v, ops::add);
  if (!node) return absent;
  for (const size_t i : {size_t{0}, size_t{1}})
    if (near(r.uniform(node->inputs[i]), number)) return node->inputs[1 - i];
  return absent;
}

ValueId argument_of(const Rewrite& r, ValueId v, const Op& op) {
  const Node* const node = r.maker(v, op);
  return node ? node->inputs[0] : absent;
}

// ---- activations: products of x and a function of x

/// 1 + erf(x / sqrt(2)).
bool is_gelu_factor(const Rewrite& r, ValueId v, ValueId x) {
  const ValueId inner = argument_of(r, added_to(r, v, 1), ops::erf);
  if (inner == absent) return false;
  const Product p = product_of(r, inner);
  return p.factors == std::vector{x} && near(p.constant, std::numbers::sqrt2 / 2);
}

/// sqrt(2/pi) * (x + 0.044715 x^3), or sqrt(2/pi) * x * (1 + 0.044715 x^2), as one value.
bool is_gelu_argument(const Rewrite& r, ValueId v, ValueId x) {
  const Product outer = product_of(r, v);
  if (!near(outer.constant, std::sqrt(2 / std::numbers::pi))) return false;
  const auto is_power = [&](ValueId w, size_t power) {
    const Product p = product_of(r, w);
    return near(p.constant, 0.044715) && p.factors == std::vector<ValueId>(power, x);
  };
  if (outer.factors.size() == 1) {
    const Node* const sum = r.maker(outer.factors[0], ops::add);
    if (!sum) return false;
    return (sum->inputs[0] == x && is_power(sum->inputs[1], 3)) || (sum->inputs[1] == x && is_power(sum->inputs[0], 3));
  }
  if (outer.factors.size() != 2) return false;
  const size_t i = outer.factors[0] == x ? 1 : 0;
  const ValueId square = added_to(r, outer.factors[i], 1);
  return outer.factors[1 - i] == x && square != absent && is_power(square, 2);
}

/// The activation that the product of x, f(x) and a constant is, or null.
const Op* activation(const Rewrite& r, ValueId x, ValueId f, double constant) {
  if (near(constant, 1)) {
    if (argument_of(r, f, ops::sigmoid) == x) return &ops::silu;
    if (const ValueId plus = argument_of(r, f, ops::tanh); plus != absent && argument_of(r, plus, ops::softplus) == x)
      return &ops::mish;
    const Node* const hard = r.maker(f, ops::hard_sigmoid);
    if (hard && hard->inputs[0] == x && near(hard->attributes.number("alpha", 0.2), 1.0 / 6) &&
        near(hard->attributes.number("beta", 0.5), 0.5))
      return &ops::hard_swish;
  }
  if (near(constant, 0.5)) {
    if (is_gelu_factor(r, f, x)) return &ops::gelu;
    const ValueId argument = argument_of(r, added_to(r, f, 1), ops::tanh);
    if (argument != absent && is_gelu_argument(r, argument, x)) return &ops::gelu_tanh;
  }
  const Node* const clipped = r.maker(f, ops::clip);
  if (near(constant, 1.0 / 6) && clipped && clipped->attributes.number("alpha") == 0 &&
      clipped->attributes.number("beta") == 6 && added_to(r, clipped->inputs[0], 3) == x)
    return &ops::hard_swish;
  return nullptr;
}

bool match_activation(Rewrite& r, Node& node) {
  if ((node.op != &ops::mul && node.op != &ops::div) || !is_float(r.graph.type(node.outputs[0]).dtype)) return false;
  std::vector<Product> readings{product_of(r, node)};
  if (node.op == &ops::mul) readings.push_back({1, node.inputs});
  for (const Product& p : readings)
    for (size_t i = 0; p.factors.size() == 2 && i < 2; ++i) {
      const ValueId x = p.factors[i], f = p.factors[1 - i];
      if (x == absent || f == absent || r.shape(x) != r.shape(node.outputs[0])) continue;
      if (const Op* const found = activation(r, x, f, p.constant)) {
        r.edit(node, *found, {x}, {});
        return true;
      }
    }
  return false;
}

/// clip(x + 3, 0, 6) / 6.
bool match_hard_sigmoid(Rewrite& r, Node& node) {
  if ((node.op != &ops::mul && node.op != &ops::div) || !is_float(r.graph.type(node.outputs[0]).dtype)) return false;
  const Product p = product_of(r, node);
  if (p.factors.size() != 1 || p.factors[0] == absent || !near(p.constant, 1.0 / 6)) return false;
  const Node* const clipped = r.maker(p.factors[0], ops::clip);
  if (!clipped || clipped->attributes.number("alpha") != 0 || clipped->attributes.number("beta") != 6) return false;
  const ValueId x = added_to(r, clipped->inputs[0], 3);
  if (x == absent || r.shape(x) != r.shape(node.outputs[0])) return false;
  r.edit(node, ops::hard_sigmoid, {x}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
  return true;
}

// ---- normalisation and softmax

/// What v is but for its shape.
ValueId unshaped(const Rewrite& r, ValueId v) {
  for (int i = 0; i < 4; ++i) {
    const Node* const node = r.maker(v);
    if (!node || (node->op != &ops::reshape && node->op != &ops::broadcast)) break;
    v = node->inputs[0];
  }
  return v;
}

/// A reduction of x, whose result may have been reshaped to x's shape with the axes kept.
struct Reduced {
  ValueId of = absent;
  Integers axes;
};
std::optional<Reduced> reduced(const Rewrite& r, ValueId v, std::string_view kind) {
  const Node* const node = r.maker(unshaped(r, v), ops::reduce);
  if (!node || node->attributes.text("kind") != kind) return std::nullopt;
  return Reduced{node->inputs[0], node->attributes.integers("axes")};
}

/// Whether v's shape is that of x with `axes` of extent 1, or broadcast from it.
bool keeps_axes(const Rewrite& r, ValueId v, ValueId x, const Integers& axes) {
  Shape kept = r.shape(x);
  for (const int64_t axis : axes) kept[index(axis)] = 1;
  return r.shape(v) == kept;
}

ValueId squared(const Rewrite& r, ValueId v) {
  const Node* const product = r.maker(v, ops::mul);
  return product && product->inputs[0] == product->inputs[1] ? product->inputs[0] : absent;
}

/// What v is the variance (about the mean) or the mean square of.
struct Spread {
  ValueId of = absent;
  Integers axes;
  bool about_mean = false;
};

std::optional<Spread> mean_square(const Rewrite& r, ValueId v) {
  const auto squares = reduced(r, v, "mean");
  const ValueId d = squares ? squared(r, squares->of) : absent;
  if (d == absent) return std::nullopt;
  const Node* const centred = r.maker(d, ops::sub);
  const auto mean = centred ? reduced(r, centred->inputs[1], "mean") : std::nullopt;
  if (mean && mean->of == centred->inputs[0] && mean->axes == squares->axes) return Spread{mean->of, mean->axes, true};
  return Spread{d, squares->axes, false};
}

struct Deviation {
  Spread spread;
  double epsilon = 0;
};
/// v = root(spread + epsilon).
std::optional<Deviation> deviation(const Rewrite& r, ValueId v, const Op& root) {
  const Node* const node = r.maker(v, root);
  const Node* const sum = node ? r.maker(node->inputs[0], ops::add) : nullptr;
  for (size_t i = 0; sum && i < 2; ++i) {
    const auto epsilon = r.uniform(sum->inputs[i]);
    if (!epsilon || *epsilon <= 0 || *epsilon > 0.1) continue;
    const ValueId inner = unshaped(r, sum->inputs[1 - i]);
    auto spread = mean_square(r, inner);
    if (spread && keeps_axes(r, v, spread->of, spread->axes)) return Deviation{*spread, *epsilon};
  }
  return std::nullopt;
}

/// v = 1 / sqrt(spread + epsilon).
std::optional<Deviation> inverse_deviation(const Rewrite& r, ValueId v) {
  if (const auto found = deviation(r, v, ops::rsqrt)) return found;
  const ValueId root = argument_of(r, v, ops::reciprocal);
  return root == absent ? std::nullopt : deviation(r, root, ops::sqrt);
}

/// Whether v is what the spread is of: x itself, or x - mean(x).
bool is_centred(const Rewrite& r, ValueId v, const Spread& spread) {
  if (!spread.about_mean) return v == spread.of;
  const Node* const centred = r.maker(v, ops::sub);
  const auto mean = centred && centred->inputs[0] == spread.of ? reduced(r, centred->inputs[1], "mean") : std::nullopt;
  return mean && mean->of == spread.of && mean->axes == spread.axes;
}

/// d / sqrt(spread + epsilon), perhaps with a constant scale among the factors.
bool match_normalize(Rewrite& r, Node& node) {
  if ((node.op != &ops::mul && node.op != &ops::div) || !is_float(r.graph.type(node.outputs[0]).dtype)) return false;
  std::optional<Deviation> found;
  std::vector<ValueId> rest;
  if (node.op == &ops::div) {
    found = deviation(r, node.inputs[1], ops::sqrt);
    rest = {node.inputs[0]};
  } else {
    const Product p = product_of(r, node);
    if (p.constant != 1 || p.factors.size() > 3) return false;
    for (const ValueId v : p.factors)
      if (auto inverse = found ? std::nullopt : inverse_deviation(r, v))
        found = std::move(inverse);
      else
        rest.push_back(v);
  }
  if (!found || rest.empty() || rest.size() > 2 || r.shape(found->spread.of) != r.shape(node.outputs[0])) return false;
  if (!is_centred(r, rest[0], found->spread)) std::swap(rest.front(), rest.back());
  if (!is_centred(r, rest[0], found->spread) || (rest.size() == 2 && !r.graph.is_constant(rest[1]))) return false;
  std::vector<ValueId> inputs{found->spread.of};
  if (rest.size() == 2) inputs.push_back(rest[1]);
  r.edit(node, ops::normalize, inputs,
         {{"axes", found->spread.axes},
          {"epsilon", found->epsilon},
          {"kind", found->spread.about_mean ? "layer" : "rms"}});
  return true;
}

/// e / sum(e), e = exp(x - max(x)).
bool match_softmax(Rewrite& r, Node& node) {
  if (node.op != &ops::div) return false;
  const auto sum = reduced(r, node.inputs[1], "sum");
  const Node* const difference = r.maker(argument_of(r, node.inputs[0], ops::exp), ops::sub);
  if (!sum || sum->of != node.inputs[0] || sum->axes.size() != 1 || !difference) return false;
  const ValueId x = difference->inputs[0];
  const auto top = reduced(r, difference->inputs[1], "max");
  if (!top || top->of != x || top->axes != sum->axes || !keeps_axes(r, node.inputs[1], x, sum->axes) ||
      !keeps_axes(r, difference->inputs[1], x, sum->axes))
    return false;
  r.edit(node, ops::softmax, {x}, {{"axis", sum->axes[0]}, {"log", int64_t{0}}});
  return true;
}

/// normalize(x) * scale, and + bias: constants that do not widen the result.
bool match_affine(Rewrite& r, Node& node) {
  const bool scales = node.op == &ops::mul;
  if (!scales && node.op != &ops::add) return false;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const ValueId y = node.inputs[i], other = node.inputs[1 - i];
    const Node* const norm = r.maker(y, ops::normalize);
    if (!norm || !r.single(y) || !r.graph.is_constant(other) || r.shape(y) != r.shape(node.outputs[0])) continue;
    std::vector<ValueId> inputs = norm->inputs;
    inputs.resize(3, absent);
    if (inputs[2] != absent || (scales && inputs[1] != absent)) continue;
    inputs[scales ? 1 : 2] = other;
    if (inputs[2] == absent) inputs.pop_back();
    r.edit(node, ops::normalize, inputs, Attributes(norm->attributes));
    return true;
  }
  return false;
}

Result<bool> match(Rewrite& r, Node& node) {
  match_normalize(r, node) || match_softmax(r, node) || match_affine(r, node) || match_activation(r, node) ||
      match_hard_sigmoid(r, node);
  return false;
}

}  // namespace

Result<bool> match_patterns(Graph& graph) { return Rewrite::sweep(graph, match); }

}  // namespace hadal::graph
