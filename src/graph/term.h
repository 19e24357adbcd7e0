// Arithmetic on values of a graph: `(x + 1) * y` makes the nodes.
#pragma once

#include "graph/builder.h"
#include "graph/ops.h"

namespace hadal::graph {

/// A value of a graph that is being built. Numbers next to it are of its type.
struct Term {
  Builder* builder;
  ValueId id;

  [[nodiscard]] Builder& b() const { return *builder; }
  [[nodiscard]] Shape shape() const { return b().shape(id); }
  [[nodiscard]] DType dtype() const { return b().dtype(id); }
  [[nodiscard]] Term with(ValueId v) const { return {builder, v}; }
  [[nodiscard]] Term number(double value) const { return with(b().scalar(dtype(), value)); }
  [[nodiscard]] Term apply(const Op& op, Attributes attributes = {}) const {
    return with(b().make(op, {id}, std::move(attributes)));
  }
  [[nodiscard]] Term apply(const Op& op, const Term& other, Attributes attributes = {}) const {
    return with(b().make(op, {id, other.id}, std::move(attributes)));
  }

  [[nodiscard]] Term reshaped(Shape to) const { return with(b().reshape(id, std::move(to))); }
  [[nodiscard]] Term transposed(Integers order) const { return with(b().transpose(id, std::move(order))); }
  [[nodiscard]] Term broadcast(Shape to) const { return with(b().broadcast(id, std::move(to))); }
  [[nodiscard]] Term as(DType to) const { return with(b().cast(id, to)); }
  [[nodiscard]] Term slice(int64_t axis, int64_t start, int64_t size) const {
    return with(b().slice(id, axis, start, size));
  }
  [[nodiscard]] Term reduced(std::string kind, Integers axes, bool keep = true) const {
    return with(b().reduce(id, std::move(kind), std::move(axes), keep));
  }
  [[nodiscard]] Term gathered(const Term& indices, int64_t axis) const {
    return apply(ops::gather, indices, {{"axis", axis}});
  }
};

inline Term operator+(const Term& a, const Term& b) { return a.apply(ops::add, b); }
inline Term operator-(const Term& a, const Term& b) { return a.apply(ops::sub, b); }
inline Term operator*(const Term& a, const Term& b) { return a.apply(ops::mul, b); }
inline Term operator/(const Term& a, const Term& b) { return a.apply(ops::div, b); }
inline Term operator+(const Term& a, double b) { return a + a.number(b); }
inline Term operator-(const Term& a, double b) { return a - a.number(b); }
inline Term operator*(const Term& a, double b) { return a * a.number(b); }
inline Term operator/(const Term& a, double b) { return a / a.number(b); }
inline Term operator-(double a, const Term& b) { return b.number(a) - b; }
inline Term operator-(const Term& a) { return a.apply(ops::neg); }
inline Term operator<(const Term& a, const Term& b) { return a.apply(ops::less, b); }
inline Term operator<(const Term& a, double b) { return a < a.number(b); }
inline Term operator<=(const Term& a, const Term& b) { return a.apply(ops::less_equal, b); }
inline Term operator<=(const Term& a, double b) { return a <= a.number(b); }
inline Term operator>(const Term& a, double b) { return a.apply(ops::greater, a.number(b)); }
inline Term operator>=(const Term& a, double b) { return a.apply(ops::greater_equal, a.number(b)); }
inline Term operator&(const Term& a, const Term& b) { return a.apply(ops::and_, b); }
inline Term operator|(const Term& a, const Term& b) { return a.apply(ops::or_, b); }
inline Term equal(const Term& a, const Term& b) { return a.apply(ops::equal, b); }
inline Term equal(const Term& a, double b) { return equal(a, a.number(b)); }
inline Term where(const Term& condition, const Term& a, const Term& b) {
  return a.with(a.b().make(ops::where, {condition.id, a.id, b.id}));
}
inline Term min(const Term& a, const Term& b) { return a.apply(ops::min, b); }
inline Term max(const Term& a, const Term& b) { return a.apply(ops::max, b); }
inline Term clamp(const Term& a, double low, double high) {
  return a.apply(ops::clip, {{"alpha", low}, {"beta", high}});
}
inline Term product(const Term& a, const Term& b, bool transpose_b = false) {
  return a.apply(ops::matmul, b, {{"transpose_b", int64_t{transpose_b}}});
}
/// Joined along an axis.
inline Term joined(const std::vector<Term>& parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  Values list;
  for (const Term& part : parts) list.push_back(part.id);
  return parts[0].with(parts[0].b().make(ops::concat, list, {{"axis", axis}}));
}
/// 0, 1, ... count - 1 as i64.
inline Term positions(Builder& b, int64_t count) {
  Integers list(static_cast<size_t>(count));
  for (size_t i = 0; i < list.size(); ++i) list[i] = static_cast<int64_t>(i);
  return {&b, b.constant(list)};
}

}  // namespace hadal::graph
