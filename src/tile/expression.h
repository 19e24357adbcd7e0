// Integer expressions over loop indices: where a window begins, how long it is, how often a loop runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace hadal::tile {

/// The operations that the sequencer has.
enum class Op : uint8_t { constant, variable, add, sub, mul, div, mod, min, max, ceildiv, eq, less };

/// An immutable expression with the interval of its values. Constants fold as it is built.
class Expr {
 public:
  Expr(int64_t value = 0);
  /// A variable with the values lowest .. highest.
  static Expr variable(std::string name, int64_t lowest, int64_t highest);

  /// The same expression, known by its maker to stay within lowest .. highest.
  [[nodiscard]] Expr within(int64_t lowest, int64_t highest) const;

  [[nodiscard]] Op op() const { return node_->op; }
  [[nodiscard]] int64_t lowest() const { return node_->lowest; }
  [[nodiscard]] int64_t highest() const { return node_->highest; }
  [[nodiscard]] bool is_constant() const { return lowest() == highest(); }
  [[nodiscard]] int64_t constant() const { return lowest(); }
  [[nodiscard]] Expr left() const { return Expr(node_->left); }
  [[nodiscard]] Expr right() const { return Expr(node_->right); }
  /// Text, which is also its identity: equal texts, equal values.
  [[nodiscard]] const std::string& text() const { return node_->text; }

  friend Expr operator+(const Expr& a, const Expr& b);
  friend Expr operator-(const Expr& a, const Expr& b);
  friend Expr operator*(const Expr& a, const Expr& b);
  friend Expr floor_div(const Expr& a, const Expr& b);
  friend Expr mod(const Expr& a, const Expr& b);
  friend Expr ceil_div(const Expr& a, const Expr& b);
  friend Expr min(const Expr& a, const Expr& b);
  friend Expr max(const Expr& a, const Expr& b);
  friend Expr equal(const Expr& a, const Expr& b);
  friend Expr less(const Expr& a, const Expr& b);

 private:
  struct Node {
    Op op = Op::constant;
    int64_t lowest = 0, highest = 0;
    std::string text;
    std::shared_ptr<const Node> left, right;
  };
  explicit Expr(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  static Expr make(Op op, const Expr& a, const Expr& b, int64_t lowest, int64_t highest);
  std::shared_ptr<const Node> node_;
};

}  // namespace hadal::tile
