// Nodes that change nothing, and pairs of movements that are one. A rule is a function: what it needs, then what it
// does.
#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/ops/support.h"
#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

ValueId operand(const Node& node) { return node.inputs[0]; }

bool is_sorted(const Integers& order) { return std::is_sorted(order.begin(), order.end()); }

/// Whether the order only moves axes of extent 1: the elements stay where they are.
bool keeps_elements(const Integers& order, const Shape& shape) {
  Integers rest;
  for (const int64_t axis : order)
    if (shape[index(axis)] != 1) rest.push_back(axis);
  return is_sorted(rest);
}

Result<bool> reshape(Rewrite& r, Node& node) {
  const ValueId x = operand(node);
  if (r.shape(x) == node.attributes.integers("shape")) return r.give_way(node, x);
  if (const Node* inner = r.maker(x, ops::reshape)) {
    r.edit(node, ops::reshape, inner->inputs, node.attributes);
  } else if (const Node* sum = r.maker(x, ops::reduce); sum && r.single(x)) {  // back to the axes it dropped
    Shape kept = r.shape(sum->inputs[0]);
    for (const int64_t axis : sum->attributes.integers("axes")) kept[index(axis)] = 1;
    Attributes attributes = sum->attributes;
    attributes.set("keep", int64_t{1});
    if (kept == r.shape(node.outputs[0])) r.edit(node, ops::reduce, sum->inputs, attributes);
  }
  return false;
}

/// Moved there and back around a softmax or a function of one operand: it works on the axes where they are.
void transpose_back(Rewrite& r, Node& node, const Integers& order) {
  const Node* const middle = r.single(operand(node)) ? r.maker(operand(node)) : nullptr;
  const bool is_softmax = middle && middle->op == &ops::softmax;
  if (!middle || (!is_softmax && (middle->inputs.size() != 1 || !scalar_function(*middle->op)))) return;
  const Node* const there = r.maker(middle->inputs[0], ops::transpose);
  if (!there || inverse(order) != there->attributes.integers("order")) return;
  Attributes attributes = middle->attributes;
  if (is_softmax) attributes.set("axis", there->attributes.integers("order")[index(attributes.integer("axis"))]);
  const Op& op = *middle->op;
  r.edit(node, op, there->inputs, attributes);
}

Result<bool> transpose(Rewrite& r, Node& node) {
  const ValueId x = operand(node);
  Integers order = node.attributes.integers("order");
  if (is_sorted(order)) return r.give_way(node, x);
  if (const Node* inner = r.maker(x, ops::transpose)) {
    const Integers first = inner->attributes.integers("order");
    for (int64_t& axis : order) axis = first[index(axis)];
    r.edit(node, ops::transpose, inner->inputs, {{"order", order}});
  } else if (keeps_elements(order, r.shape(x))) {
    r.edit(node, ops::reshape, {x}, {{"shape", r.shape(node.outputs[0])}});
  } else {
    transpose_back(r, node, order);
  }
  return false;
}

/// Every value of `from` is one of `to`.
bool widens(DType from, DType to) {
  if (from == to) return true;
  if (from == DType::boolean) return true;
  if (is_float(from)) return is_float(to) && (to == DType::f64 || (to == DType::f32 && from != DType::f64));
  if (is_float(to)) return bytes_of(from) * 2 <= bytes_of(to) && (to == DType::f32 || to == DType::f64);
  return info(from).is_signed ? info(to).is_signed && bytes_of(from) < bytes_of(to) : bytes_of(from) < bytes_of(to);
}

Result<bool> cast(Rewrite& r, Node& node) {
  const ValueId x = operand(node);
  const DType to = r.graph.type(node.outputs[0]).dtype, from = r.graph.type(x).dtype;
  if (from == to) return r.give_way(node, x);
  const Node* const inner = r.maker(x, ops::cast);
  if (!inner || !widens(r.graph.type(inner->inputs[0]).dtype, from) || to == DType::boolean) return false;
  if (r.graph.type(inner->inputs[0]).dtype == to) return r.give_way(node, inner->inputs[0]);
  r.edit(node, ops::cast, inner->inputs, node.attributes);
  return false;
}

/// Less is moved if the part is taken first.
Result<bool> slice_of_transpose(Rewrite& r, Node& node, const Node& mover) {
  const Integers order = mover.attributes.integers("order");
  const ValueId from = mover.inputs[0];
  Attributes part;
  for (const char* const list : {"starts", "steps", "sizes"}) {
    const Integers moved = node.attributes.integers(list);
    Integers entries(moved.size());
    for (size_t i = 0; i < order.size(); ++i) entries[index(order[i])] = moved[i];
    part.set(list, entries);
  }
  HADAL_TRY(const ValueId taken, r.add(ops::slice, {from}, part, node));
  r.edit(node, ops::transpose, {taken}, {{"order", order}});
  return false;
}

/// A slice of one axis behind a reshape, as a slice in front of it: of the same axis if the axes before it are the
/// same, or, for one element of the inner half of a split axis, every n-th element of that axis.
Result<bool> slice_of_reshape(Rewrite& r, Node& node, const Node& shaper) {
  const ValueId from = shaper.inputs[0];
  const Shape x = r.shape(from), y = r.shape(node.inputs[0]), result = r.shape(node.outputs[0]);
  const Integers starts = node.attributes.integers("starts"), steps = node.attributes.integers("steps");
  size_t axis = 0, sliced = 0;
  for (size_t i = 0; i < y.size(); ++i)
    if (result[i] != y[i] || steps[i] != 1) axis = i, ++sliced;
  if (sliced != 1 || elements(result) == 0) return false;
  const int64_t before = extent_of(y, 0, axis), after = extent_of(y, axis + 1, y.size());
  Integers first(x.size(), 0), step(x.size(), 1), size = x;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t outer = extent_of(x, 0, i), inner = extent_of(x, i + 1, x.size());
    if (inner != after) continue;
    if (outer == before && x[i] == y[axis]) {
      first[i] = starts[axis], step[i] = steps[axis], size[i] = result[axis];
    } else if (axis > 0 && result[axis] == 1 && outer * y[axis - 1] == before && x[i] == y[axis - 1] * y[axis] &&
               y[axis - 1] > 1) {
      first[i] = starts[axis], step[i] = y[axis], size[i] = y[axis - 1];
    } else {
      continue;
    }
    HADAL_TRY(const ValueId taken,
              r.add(ops::slice, {from}, {{"starts", first}, {"steps", step}, {"sizes", size}}, node));
    r.edit(node, ops::reshape, {taken}, {{"shape", result}});
    return false;
  }
  return false;
}

Result<bool> slice(Rewrite& r, Node& node) {
  const ValueId x = operand(node);
  const Integers steps = node.attributes.integers("steps");
  const bool whole = r.shape(x) == r.shape(node.outputs[0]) &&
                     std::all_of(steps.begin(), steps.end(), [](int64_t s) { return s == 1; });
  if (whole) return r.give_way(node, x);
  if (const Node* const mover = r.maker(x, ops::transpose)) return slice_of_transpose(r, node, *mover);
  if (const Node* const shaper = r.maker(x, ops::reshape)) return slice_of_reshape(r, node, *shaper);
  return false;
}

Result<bool> pad(Rewrite& r, Node& node) {
  return r.shape(operand(node)) == r.shape(node.outputs[0]) && r.give_way(node, operand(node));
}
Result<bool> concat(Rewrite& r, Node& node) { return node.inputs.size() == 1 && r.give_way(node, operand(node)); }
Result<bool> broadcast(Rewrite& r, Node& node) {
  return r.shape(operand(node)) == r.shape(node.outputs[0]) && r.give_way(node, operand(node));
}

/// Over axes of extent 1 there is nothing to reduce.
Result<bool> reduce(Rewrite& r, Node& node) {
  const std::string kind = node.attributes.text("kind");
  if (kind != "sum" && kind != "mean" && kind != "max" && kind != "min" && kind != "prod") return false;
  for (const int64_t axis : node.attributes.integers("axes"))
    if (r.shape(operand(node))[index(axis)] != 1) return false;
  r.edit(node, ops::reshape, {operand(node)}, {{"shape", r.shape(node.outputs[0])}});
  return false;
}

/// b transposed before the product becomes the product's flag, if b's columns then need not move.
Result<bool> matmul(Rewrite& r, Node& node) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const Node* const mover = r.maker(node.inputs[i], ops::transpose);
    if (!mover) continue;
    Integers order = mover->attributes.integers("order");
    const auto last = static_cast<int64_t>(order.size()) - 1;
    if (order.back() == last || order[index(last - 1)] != last) continue;
    std::swap(order[index(last)], order[index(last - 1)]);
    const char* const flag = i == 0 ? "transpose_a" : "transpose_b";
    Attributes attributes = node.attributes;
    attributes.set(flag, int64_t{attributes.integer(flag) == 0});
    std::vector<ValueId> inputs = node.inputs;
    if (is_sorted(order)) {
      inputs[i] = mover->inputs[0];
    } else {
      const ValueId from = mover->inputs[0];
      HADAL_TRY(inputs[i], r.add(ops::transpose, {from}, {{"order", order}}, *mover));
    }
    r.edit(node, ops::matmul, inputs, attributes);
  }
  return false;
}

/// The operand that is not the number `unit`, if it has the result's type.
ValueId other_than(const Rewrite& r, const Node& node, double unit, bool commutes) {
  for (const size_t i : {size_t{1}, size_t{0}}) {
    if (i == 0 && !commutes) break;
    const auto number = r.uniform(node.inputs[i]);
    if (number && *number == unit && r.graph.type(node.inputs[1 - i]) == r.graph.type(node.outputs[0]))
      return node.inputs[1 - i];
  }
  return absent;
}

/// max(x, -infinity), min(x, infinity).
Result<bool> extreme(Rewrite& r, Node& node) {
  const ValueId x = other_than(r, node, node.op == &ops::max ? -INFINITY : INFINITY, true);
  return x != absent && r.give_way(node, x);
}

/// A sum times 1/n is a mean.
bool mean_of_sum(Rewrite& r, Node& node) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const Node* const sum = r.maker(node.inputs[i], ops::reduce);
    const auto factor = r.uniform(node.inputs[1 - i]);
    if (!sum || !factor || sum->attributes.text("kind") != "sum" || !r.single(node.inputs[i]) ||
        r.shape(node.inputs[i]) != r.shape(node.outputs[0]))
      continue;
    if (!is_float(r.graph.type(node.outputs[0]).dtype)) continue;
    double count = 1;
    for (const int64_t axis : sum->attributes.integers("axes"))
      count *= static_cast<double>(r.shape(sum->inputs[0])[index(axis)]);
    if (std::fabs(*factor * count - 1) > 1e-6) continue;
    Attributes attributes = sum->attributes;
    attributes.set("kind", "mean");
    r.edit(node, ops::reduce, sum->inputs, attributes);
    return true;
  }
  return false;
}

/// x*1, x/1, and on integers x+0, x-0: on floats, -0 + 0 is +0.
Result<bool> unit(Rewrite& r, Node& node) {
  const bool multiplies = node.op == &ops::mul || node.op == &ops::div || node.op == &ops::pow;
  if (!multiplies && is_float(r.graph.type(node.outputs[0]).dtype)) return false;
  const ValueId x = other_than(r, node, multiplies ? 1 : 0, node.op == &ops::mul || node.op == &ops::add);
  return x != absent && r.give_way(node, x);
}

Result<bool> mul(Rewrite& r, Node& node) { return mean_of_sum(r, node) ? Result<bool>(false) : unit(r, node); }

/// Division by a power of two is a multiplication, exactly.
Result<bool> div(Rewrite& r, Node& node) {
  const auto divisor = r.uniform(node.inputs[1]);
  const DType dtype = r.graph.type(node.outputs[0]).dtype;
  if (!divisor || !is_float(dtype) || bytes_of(dtype) < 2 || !std::isfinite(*divisor) || *divisor == 1)
    return unit(r, node);
  int exponent = 0;
  if (std::fabs(std::frexp(*divisor, &exponent)) != 0.5 || std::abs(exponent) > 12) return false;
  Tensor inverse = Tensor::of(DType::f64, {}, std::vector<double>{1 / *divisor});
  inverse = hadal::cast(inverse, dtype);
  inverse.shape = r.shape(node.inputs[1]);
  if (elements(inverse.shape) != 1) return false;
  const ValueId factor = r.add_constant(std::move(inverse), node);
  r.edit(node, ops::mul, {node.inputs[0], factor}, {});
  return false;
}

Result<bool> pow(Rewrite& r, Node& node) {
  const auto exponent = r.uniform(node.inputs[1]);
  const ValueId x = node.inputs[0];
  if (!exponent || r.shape(x) != r.shape(node.outputs[0])) return false;
  if (*exponent == 2)
    r.edit(node, ops::mul, {x, x}, {});
  else if (is_float(r.graph.type(x).dtype) && *exponent == 0.5)
    r.edit(node, ops::sqrt, {x}, {});
  else if (is_float(r.graph.type(x).dtype) && *exponent == -1)
    r.edit(node, ops::reciprocal, {x}, {});
  else
    return unit(r, node);
  return false;
}

/// Scalar functions broadcast by themselves.
bool drop_broadcasts(Rewrite& r, Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node* const wide = r.maker(node.inputs[i], ops::broadcast);
    if (!wide) continue;
    Shape shape = r.shape(wide->inputs[0]);
    for (size_t k = 0; k < node.inputs.size(); ++k)
      if (k != i) shape = *broadcast_shapes("", shape, r.shape(node.inputs[k]));
    if (shape != r.shape(node.outputs[0])) continue;
    std::vector<ValueId> inputs = node.inputs;
    inputs[i] = wide->inputs[0];
    r.edit(node, *node.op, inputs, node.attributes);
  }
  return false;
}

/// Zeros around the spatial axes, as pads of the window that reads them.
Result<bool> window_pads(Rewrite& r, Node& node) {
  const Node* const around = r.maker(node.inputs[0], ops::pad);
  const bool is_conv = node.op == &ops::conv;
  if (!around || around->attributes.text("mode", "constant") != "constant" || around->attributes.number("value") != 0)
    return false;
  const Integers low = around->attributes.integers("low"), high = around->attributes.integers("high");
  if (low.size() < 3 || low[0] + low[1] + high[0] + high[1] != 0) return false;
  const Integers extra = node.attributes.integers("extra");
  Integers pads = node.attributes.has("pads") ? node.attributes.integers("pads") : Integers(2 * (low.size() - 2), 0);
  if (!is_conv) {  // Of pooling, the mean that counts its pads.
    const bool own = std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p != 0; });
    const bool ceil = std::any_of(extra.begin(), extra.end(), [](int64_t p) { return p != 0; });
    if (node.attributes.text("kind") != "mean" || ceil || (own && !node.attributes.integer("count_pad"))) return false;
  }
  const size_t spatial = low.size() - 2;
  for (size_t i = 0; i < spatial; ++i) {
    pads[i] += low[2 + i];
    pads[spatial + i] += high[2 + i];
  }
  Attributes attributes = node.attributes;
  attributes.set("pads", pads);
  if (!is_conv) attributes.set("count_pad", int64_t{1});
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = around->inputs[0];
  r.edit(node, *node.op, inputs, attributes);
  return false;
}

/// A choice that is known.
Result<bool> where(Rewrite& r, Node& node) {
  const auto condition = r.uniform(node.inputs[0]);
  if (!condition) return false;
  const ValueId chosen = node.inputs[*condition != 0 ? 1 : 2];
  return r.shape(chosen) == r.shape(node.outputs[0]) && r.give_way(node, chosen);
}

Result<bool> relu(Rewrite& r, Node& node) {
  return r.maker(operand(node), ops::relu) && r.give_way(node, operand(node));
}

Result<bool> simplify_node(Rewrite& r, Node& node) {
  static const std::unordered_map<const Op*, Result<bool> (*)(Rewrite&, Node&)> rules{{&ops::reshape, reshape},
                                                                                      {&ops::transpose, transpose},
                                                                                      {&ops::cast, cast},
                                                                                      {&ops::slice, slice},
                                                                                      {&ops::pad, pad},
                                                                                      {&ops::concat, concat},
                                                                                      {&ops::broadcast, broadcast},
                                                                                      {&ops::reduce, reduce},
                                                                                      {&ops::matmul, matmul},
                                                                                      {&ops::mul, mul},
                                                                                      {&ops::div, div},
                                                                                      {&ops::add, unit},
                                                                                      {&ops::sub, unit},
                                                                                      {&ops::pow, pow},
                                                                                      {&ops::conv, window_pads},
                                                                                      {&ops::pool, window_pads},
                                                                                      {&ops::where, where},
                                                                                      {&ops::relu, relu},
                                                                                      {&ops::max, extreme},
                                                                                      {&ops::min, extreme}};
  if (scalar_function(*node.op) && node.inputs.size() > 1) drop_broadcasts(r, node);
  const auto rule = rules.find(node.op);
  return rule == rules.end() ? Result<bool>(false) : rule->second(r, node);
}

}  // namespace

Result<bool> remove_identities(Graph& graph) { return Rewrite::sweep(graph, simplify_node); }

}  // namespace hadal::graph
