#include "tile/expression.h"

#include <fmt/format.h>

#include <algorithm>

namespace hadal::tile {

namespace {

int64_t floored(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

}  // namespace

Expr::Expr(int64_t value)
    : node_(std::make_shared<Node>(Node{Op::constant, value, value, std::to_string(value), nullptr, nullptr})) {}

Expr Expr::variable(std::string name, int64_t lowest, int64_t highest) {
  return Expr(std::make_shared<Node>(Node{Op::variable, lowest, highest, std::move(name), nullptr, nullptr}));
}

Expr Expr::within(int64_t lowest, int64_t highest) const {
  if (lowest == highest) return Expr(lowest);
  auto node = std::make_shared<Node>(*node_);
  node->lowest = std::max(lowest, node->lowest);
  node->highest = std::min(highest, node->highest);
  return Expr(std::move(node));
}

Expr Expr::make(Op op, const Expr& a, const Expr& b, int64_t lowest, int64_t highest) {
  if (lowest == highest) return Expr(lowest);
  static constexpr const char* forms[] = {"",           "",          "({} + {})",   "({} - {})",   "{}*{}",
                                          "({} / {})",  "({} % {})", "min({}, {})", "max({}, {})", "ceildiv({}, {})",
                                          "({} == {})", "({} < {})"};
  return Expr(std::make_shared<Node>(Node{op, lowest, highest,
                                          fmt::format(fmt::runtime(forms[static_cast<size_t>(op)]), a.text(), b.text()),
                                          a.node_, b.node_}));
}

Expr operator+(const Expr& a, const Expr& b) {
  if (a.is_constant() && a.constant() == 0) return b;
  if (b.is_constant() && b.constant() == 0) return a;
  return Expr::make(Op::add, a, b, a.lowest() + b.lowest(), a.highest() + b.highest());
}

Expr operator-(const Expr& a, const Expr& b) {
  if (b.is_constant() && b.constant() == 0) return a;
  if (a.text() == b.text()) return Expr(0);
  return Expr::make(Op::sub, a, b, a.lowest() - b.highest(), a.highest() - b.lowest());
}

Expr operator*(const Expr& a, const Expr& b) {
  if (a.is_constant() && a.constant() == 1) return b;
  if (b.is_constant() && b.constant() == 1) return a;
  const auto [low, high] = std::minmax(
      {a.lowest() * b.lowest(), a.lowest() * b.highest(), a.highest() * b.lowest(), a.highest() * b.highest()});
  return Expr::make(Op::mul, a, b, low, high);
}

// Divisors are positive here: the compiler divides by counts.
Expr floor_div(const Expr& a, const Expr& b) {
  if (b.is_constant() && b.constant() == 1) return a;
  const auto [low, high] = std::minmax({floored(a.lowest(), b.lowest()), floored(a.lowest(), b.highest()),
                                        floored(a.highest(), b.lowest()), floored(a.highest(), b.highest())});
  return Expr::make(Op::div, a, b, low, high);
}

Expr ceil_div(const Expr& a, const Expr& b) {
  if (b.is_constant() && b.constant() == 1) return a;
  const auto up = [](int64_t x, int64_t y) { return -floored(-x, y); };
  const auto [low, high] = std::minmax({up(a.lowest(), b.lowest()), up(a.lowest(), b.highest()),
                                        up(a.highest(), b.lowest()), up(a.highest(), b.highest())});
  return Expr::make(Op::ceildiv, a, b, low, high);
}

Expr mod(const Expr& a, const Expr& b) {
  if (a.lowest() >= 0 && a.highest() < b.lowest()) return a;
  if (a.is_constant() && b.is_constant())
    return Expr(a.constant() - floored(a.constant(), b.constant()) * b.constant());
  return Expr::make(Op::mod, a, b, 0, b.highest() - 1);
}

Expr min(const Expr& a, const Expr& b) {
  if (a.highest() <= b.lowest()) return a;
  if (b.highest() <= a.lowest()) return b;
  return Expr::make(Op::min, a, b, std::min(a.lowest(), b.lowest()), std::min(a.highest(), b.highest()));
}

Expr max(const Expr& a, const Expr& b) {
  if (a.lowest() >= b.highest()) return a;
  if (b.lowest() >= a.highest()) return b;
  return Expr::make(Op::max, a, b, std::max(a.lowest(), b.lowest()), std::max(a.highest(), b.highest()));
}

Expr equal(const Expr& a, const Expr& b) {
  if (a.text() == b.text()) return Expr(1);
  const bool apart = a.highest() < b.lowest() || b.highest() < a.lowest();
  return Expr::make(Op::eq, a, b, 0, apart ? 0 : 1);
}

Expr less(const Expr& a, const Expr& b) {
  return Expr::make(Op::less, a, b, a.highest() < b.lowest() ? 1 : 0, a.lowest() < b.highest() ? 1 : 0);
}

}  // namespace hadal::tile
