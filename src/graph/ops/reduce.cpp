#include <limits>

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

constexpr std::string_view kinds[] = {"sum",        "mean", "max", "min",     "prod",
                                      "sum_square", "l1",   "l2",  "log_sum", "log_sum_exp"};

Result<std::vector<Type>> infer(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("reduce", in, 1, 1));
  const Integers axes = a.integers("axes");
  HADAL_CHECK(check_axes("reduce", axes, in[0]->shape.size()));
  const std::string kind = a.text("kind");
  if (std::find(std::begin(kinds), std::end(kinds), kind) == std::end(kinds))
    return rule("reduce.kind", "'{}' is no kind", printable(kind));
  if (in[0]->dtype == DType::boolean && kind != "max" && kind != "min")
    return rule("reduce.dtype", "{} is not defined for bool", kind);
  Shape shape;
  for (size_t i = 0; i < in[0]->shape.size(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (!reduced || a.integer("keep", 1)) shape.push_back(reduced ? 1 : in[0]->shape[i]);
  }
  const std::optional<DType> to = a.has("to") ? dtype_named(a.text("to")) : in[0]->dtype;
  if (!to) return rule("reduce.to", "'{}' is no element type", printable(a.text("to")));
  return std::vector<Type>{{*to, shape}};
}

template <class V>
V lowest(DType dtype) {
  if constexpr (std::is_same_v<V, double>)
    return dtype == DType::boolean ? 0 : -std::numeric_limits<double>::infinity();
  return static_cast<V>(0);
}

template <class V>
V extreme(const std::vector<V>& row, bool greatest) {
  V best = row[0];
  for (const V v : row) best = best != best || (greatest ? v < best : v > best) ? best : v;
  return best;
}

/// What an empty row reduces to is the identity of the kind.
template <class V>
V reduce_row(const std::vector<V>& row, const std::string& kind, DType dtype) {
  V sum = 0;
  if (kind == "max" || kind == "min") {
    if (!row.empty()) return extreme(row, kind == "max");
    return kind == "max" ? lowest<V>(dtype) : -lowest<V>(dtype);
  }
  if (kind == "prod") {
    V product = 1;
    for (const V v : row) product *= v;
    return product;
  }
  if (kind == "log_sum_exp") {
    const double top = row.empty() ? 0 : static_cast<double>(extreme(row, true));
    if (std::isinf(top)) return static_cast<V>(top);
    double total = 0;
    for (const V v : row) total += std::exp(static_cast<double>(v) - top);
    return static_cast<V>(top + std::log(total));
  }
  if (kind == "sum_square" || kind == "l2")
    for (const V v : row) sum += v * v;
  else if (kind == "l1")
    for (const V v : row) sum += v < 0 ? -v : v;
  else
    for (const V v : row) sum += v;
  if (kind == "mean") return row.empty() && !std::is_same_v<V, double> ? 0 : sum / static_cast<V>(row.size());
  if (kind == "l2") return static_cast<V>(std::sqrt(static_cast<double>(sum)));
  if (kind == "log_sum") return static_cast<V>(std::log(static_cast<double>(sum)));
  return sum;
}

std::vector<Tensor> reference(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const Integers axes = a.integers("axes");
  const Tensor x = transposed(*in[0], axes_last(axes, in[0]->shape.size()));
  const int64_t n = extent_of(x.shape, x.shape.size() - axes.size(), x.shape.size());
  const std::string kind = a.text("kind");
  Output out(results[0]);
  with_numbers(x.dtype, [&](auto zero) {
    std::vector<decltype(zero)> row(index(n)), values(index(out.tensor.size()));
    for (size_t r = 0; r < values.size(); ++r) {
      read_row(x, static_cast<int64_t>(r) * n, 1, n, row.data());
      values[r] = reduce_row(row, kind, x.dtype);
    }
    write_row(out.tensor.dtype, out.data, 0, out.tensor.size(), values.data());
  });
  return {out.tensor};
}

/// Of a product: the product of the others, which is not y / x where an element is zero.
Term product_slope(const Term& x, const Integers& axes) {
  const Term is_zero = equal(x, x.number(0)), zero = x.number(0);
  const Term zeros = where(is_zero, x.number(1), zero).reduced("sum", axes);
  const Term safe = where(is_zero, x.number(1), x), others = safe.reduced("prod", axes);
  return where(equal(zeros, zero), others / safe, where(is_zero & equal(zeros, zeros.number(1)), others, zero));
}

/// dy/dx, against which the kept axes of y broadcast.
Term slope(const std::string& kind, const Term& x, const Term& y, const Integers& axes) {
  if (kind == "sum") return x.number(1);
  if (kind == "mean")
    return x.number(static_cast<double>(elements(y.shape())) /
                    static_cast<double>(std::max<int64_t>(1, elements(x.shape()))));
  if (kind == "prod") return product_slope(x, axes);
  if (kind == "sum_square") return x * 2;
  if (kind == "l1") return sign(x);
  if (kind == "l2") return where(equal(y, y.number(0)), x.number(0), x / y);
  if (kind == "log_sum") return reciprocal(x.reduced("sum", axes));
  if (kind == "log_sum_exp") return exp(x - y);
  const Term best = where(equal(x, y), x.number(1), x.number(0));  // Of max and min: an equal share to each that is it.
  return best / best.reduced("sum", axes);
}

void gradient(Backward& n) {
  const Integers axes = n.node.attributes.integers("axes");
  const Term x = n.in(0);
  Shape kept = x.shape();
  for (const int64_t axis : axes) kept[index(axis)] = 1;
  const Term y = n.out().reshaped(kept).as(x.dtype()), g = n.upstream().reshaped(kept).as(x.dtype());
  n.give(0, (g * slope(n.node.attributes.text("kind"), x, y, axes)).broadcast(x.shape()));
}

}  // namespace

const Op reduce{"reduce", "One value for all elements along axes.", {"kind", "axes", "keep", "to"}, infer, reference,
                gradient};

}  // namespace hadal::graph::ops
