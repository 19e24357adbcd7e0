// Products of dequantised operands as products of bytes.
#pragma once

#include <map>

#include "chip/chip.h"
#include "graph/simplify/rewrite.h"

namespace hadal::compile {

/// Bytes that stand for (x - zero) * scale, with one scale and zero point for all.
struct Bytes {
  graph::ValueId x = graph::absent;
  float scale = 1;
  int64_t zero = 0;
  DType dtype = DType::i8;
};
/// What v is the dequantisation of; none if it is something else, or its scale is not one known number.
std::optional<Bytes> dequantised(const graph::Rewrite& rewrite, graph::ValueId v);

/// A scaled product: what is multiplied by which factors, of each output channel or of all.
struct Scaled {
  graph::ValueId sum = graph::absent;
  Tensor factors;
};

/// Of the weights of an output channel.
struct ChannelSums {
  int64_t sum = 0, magnitude = 0;
};

/// sum of (a - za) * (b - zb) * factors, over the operands of a conv or matmul.
struct IntegerProduct {
  const graph::Op* op;
  graph::Attributes attributes;
  Bytes a, b;
  Tensor factors;
  int64_t depth = 1;
  ChannelSums weights;    ///< The largest, of constant weights.
  bool constant = false;  ///< The second operand is.
  size_t b_rank = 2;
  int64_t trailing = 0;  ///< Axes behind that of the output channels.
};

/// Recognises products in one sweep, and remembers those it made.
class IntegerProducts {
 public:
  using Product = IntegerProduct;

  explicit IntegerProducts(const chip::Chip& chip) : chip_(chip) {}

  /// conv and matmul become sums of products of bytes, times factors; an add of a bias in the same scale joins the
  /// sums.
  Status visit(graph::Rewrite& rewrite, graph::Node& node);
  /// The product that v is, if nothing else reads it.
  [[nodiscard]] const Scaled* made(const graph::Rewrite& rewrite, graph::ValueId v) const;

 private:
  [[nodiscard]] std::optional<Product> product_of(graph::Rewrite& rewrite, const graph::Node& node) const;
  Status multiply(graph::Rewrite& rewrite, graph::Node& node);
  Status add_bias(graph::Rewrite& rewrite, graph::Node& node);
  static Result<graph::ValueId> shift_of(graph::Rewrite& rewrite, const graph::Node& node, const Product& product,
                                         graph::ValueId bias);
  static Result<Scaled> write(graph::Rewrite& rewrite, const graph::Node& node, const Product& product,
                              graph::ValueId bias);
  void finish(graph::Rewrite& rewrite, graph::Node& node, const Product& product, Scaled scaled);

  const chip::Chip& chip_;
  std::map<graph::ValueId, Product> products_;
  std::map<graph::ValueId, Scaled> scaled_;
};

}  // namespace hadal::compile
