// Determinants by elimination, one column a step for all matrices at once.
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

struct Elimination {
  Term factor;  ///< Of the determinant: [matrices, 1, 1].
  Term rest;    ///< One row and column less.
};

/// The row whose first element is largest becomes the first one, and is taken out of the others.
Elimination eliminate(const Term& a) {
  const int64_t size = a.shape()[1];
  const Term best = a.slice(2, 0, 1).apply(ops::abs).apply(
      ops::arg_reduce, {{"kind", "max"}, {"axis", int64_t{1}}, {"keep", int64_t{1}}});
  const Term is_best = equal(best, positions(a.b(), size).reshaped({size, 1}));
  const Term row = where(is_best, a, a.number(0)).reduced("sum", {1});
  const Term others = where(is_best, a.slice(1, 0, 1), a).slice(1, 1, size - 1);
  const Term pivot = row.slice(2, 0, 1);
  const Term sign = where(equal(best, 0), a.number(1), a.number(-1));
  const Term divisor = where(equal(pivot, 0), a.number(1), pivot);
  return {sign * pivot, others.slice(2, 1, size - 1) - others.slice(2, 0, 1) / divisor * row.slice(2, 1, size - 1)};
}

Values determinant(Site& n) {
  constexpr int64_t largest = 256;
  const Shape x = n.b.shape(n[0]);
  if (x.size() < 2 || x.back() != x[x.size() - 2] || elements(x) == 0)
    fail("onnx.shape", "the matrices are {}", text_of(x));
  const int64_t size = x.back();
  if (size > largest) fail("onnx.unsupported", "matrices of {} rows, at most {} are supported", size, largest);
  const Shape outer(x.begin(), x.end() - 2);
  Term a = input(n, 0).reshaped({elements(outer), size, size});
  std::optional<Term> result;
  while (a.shape()[1] > 1) {
    const Elimination step = eliminate(a);
    result = result ? *result * step.factor : step.factor;
    a = step.rest;
  }
  return {(result ? *result * a : a).reshaped(outer).id};
}

constexpr Operator rows[] = {
    {"Det", determinant, "arg_reduce abs reduce mul sub div where equal slice reshape", 1, 1, ""},
};

}  // namespace

std::span<const Operator> determinant_operators() { return rows; }

}  // namespace hadal::onnx
