// Ops along one axis whose results depend on order: topk, cumsum, arg_reduce.
#include <numeric>

#include "graph/backward.h"
#include "graph/ops.h"
#include "graph/ops/support.h"

namespace hadal::graph::ops {

namespace {

Result<std::vector<Type>> infer_topk(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("topk", in, 1, 1));
  const int64_t axis = a.integer("axis"), k = a.integer("k");
  HADAL_CHECK(check_axis("topk", axis, in[0]->shape.size()));
  Shape shape = in[0]->shape;
  if (k < 0 || k > shape[index(axis)]) return rule("topk.C1", "k is {}, the extent {}", k, shape[index(axis)]);
  shape[index(axis)] = k;
  return std::vector<Type>{{in[0]->dtype, shape}, {DType::i64, shape}};
}

std::vector<Tensor> reference_topk(const OperandTensors& in, const Attributes& a, const std::vector<Type>& results) {
  const int64_t axis = a.integer("axis"), k = a.integer("k");
  const bool largest = a.integer("largest", 1) != 0;
  const Integers order = axes_last({axis}, in[0]->shape.size());
  const Tensor x = transposed(*in[0], order);
  const int64_t n = x.shape.back();
  Shape shape = x.shape;
  shape.back() = k;
  Output values(x.dtype, shape), indices(DType::i64, shape);
  const int width = bytes_of(x.dtype);
  with_numbers(x.dtype, [&](auto zero) {
    std::vector<decltype(zero)> row(index(n));
    Integers rank(index(n));
    for (int64_t r = 0; n > 0 && r < x.size() / n; ++r) {
      read_row(x, r * n, 1, n, row.data());
      std::iota(rank.begin(), rank.end(), 0);
      std::partial_sort(rank.begin(), rank.begin() + k, rank.end(), [&](int64_t p, int64_t q) {
        const auto u = row[index(p)], v = row[index(q)];
        const bool u_nan = u != u, v_nan = v != v;  // NaN counts as the largest, so that the order is total
        if (u_nan || v_nan) return u_nan != v_nan ? (u_nan == largest) : p < q;
        return u == v ? p < q : (largest ? u > v : u < v);
      });
      for (int64_t i = 0; i < k; ++i) {
        std::memcpy(values.data + (r * k + i) * width, x.bytes.view.data() + (r * n + rank[index(i)]) * width,
                    index(width));
        indices.as<int64_t>()[r * k + i] = rank[index(i)];
      }
    }
  });
  (void)results;
  return {transposed(values.tensor, inverse(order)), transposed(indices.tensor, inverse(order))};
}

Result<std::vector<Type>> infer_cumsum(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("cumsum", in, 1, 1));
  HADAL_CHECK(check_axis("cumsum", a.integer("axis"), in[0]->shape.size()));
  return std::vector<Type>{*in[0]};
}

std::vector<Tensor> reference_cumsum(const OperandTensors& in, const Attributes& a, const std::vector<Type>&) {
  const Integers order = axes_last({a.integer("axis")}, in[0]->shape.size());
  const Tensor x = transposed(*in[0], order);
  const int64_t n = x.shape.back();
  const bool exclusive = a.integer("exclusive") != 0, reverse = a.integer("reverse") != 0;
  Output out(x.dtype, x.shape);
  with_numbers(x.dtype, [&](auto zero) {
    std::vector<decltype(zero)> row(index(n));
    for (int64_t start = 0; start < x.size(); start += n) {
      read_row(x, start, 1, n, row.data());
      if (reverse) std::reverse(row.begin(), row.end());
      auto sum = zero;
      for (auto& value : row) {
        const auto before = sum;
        sum += value;
        value = exclusive ? before : sum;
      }
      if (reverse) std::reverse(row.begin(), row.end());
      write_row(x.dtype, out.data, start, n, row.data());
    }
  });
  return {transposed(out.tensor, inverse(order))};
}

Result<std::vector<Type>> infer_arg_reduce(const OperandTypes& in, const Attributes& a) {
  HADAL_CHECK(check_operands("arg_reduce", in, 1, 1));
  const int64_t axis = a.integer("axis");
  HADAL_CHECK(check_axis("arg_reduce", axis, in[0]->shape.size()));
  const std::string kind = a.text("kind");
  if (kind != "max" && kind != "min") return rule("arg_reduce.kind", "'{}' is neither max nor min", printable(kind));
  Shape shape = in[0]->shape;
  if (shape[index(axis)] == 0) return rule("arg_reduce.C1", "axis {} is empty", axis);
  if (a.integer("keep", 1))
    shape[index(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  return std::vector<Type>{{DType::i64, shape}};
}

std::vector<Tensor> reference_arg_reduce(const OperandTensors& in, const Attributes& a,
                                         const std::vector<Type>& results) {
  const Tensor x = transposed(*in[0], axes_last({a.integer("axis")}, in[0]->shape.size()));
  const int64_t n = x.shape.back();
  const bool greatest = a.text("kind") == "max", last = a.integer("last") != 0;
  Output out(results[0]);
  with_numbers(x.dtype, [&](auto zero) {
    std::vector<decltype(zero)> row(index(n));
    for (int64_t r = 0; r < out.tensor.size(); ++r) {
      read_row(x, r * n, 1, n, row.data());
      int64_t best = 0;
      for (int64_t i = 1; i < n; ++i) {
        const auto v = row[index(i)], b = row[index(best)];
        if ((greatest ? v > b : v < b) || (last && v == b)) best = i;
      }
      out.as<int64_t>()[r] = best;
    }
  });
  return {out.tensor};
}

void gradient_topk(Backward& n) {
  const Term g = n.upstream(), zeros = g.number(0).broadcast(n.in(0).shape());
  n.give(0, zeros.with(n.b.make(scatter, {zeros.id, n.out(1).id, g.id},
                                {{"axis", n.node.attributes.integer("axis")}, {"combine", "set"}})));
}

void gradient_cumsum(Backward& n) {
  const Attributes& a = n.node.attributes;
  n.give(0, n.upstream().apply(cumsum, {{"axis", a.integer("axis")},
                                        {"exclusive", a.integer("exclusive")},
                                        {"reverse", int64_t{a.integer("reverse") == 0}}}));
}

}  // namespace

const Op topk{"topk",
              "The k largest (or smallest) of an axis in order, and their indices.",
              {"k", "axis", "largest", "sorted"},
              infer_topk,
              reference_topk,
              gradient_topk};
const Op cumsum{
    "cumsum",       "Running sum along an axis.", {"axis", "exclusive", "reverse"}, infer_cumsum, reference_cumsum,
    gradient_cumsum};
const Op arg_reduce{"arg_reduce",
                    "Index of the largest or smallest of an axis.",
                    {"kind", "axis", "keep", "last"},
                    infer_arg_reduce,
                    reference_arg_reduce};

}  // namespace hadal::graph::ops
