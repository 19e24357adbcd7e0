// Measured operators and networks as graphs, without the bytes of their weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hadal::bench {

/// A graph under construction, all of one type of floats. The first error stays, and comes out of `finish`.
class Net {
 public:
  explicit Net(DType type) : type_(type) {}

  graph::ValueId input(Shape shape);
  graph::ValueId input(DType type, Shape shape);
  graph::ValueId weight(Shape shape);
  graph::ValueId scalar(double value);
  /// A new node; its first result.
  graph::ValueId add(const graph::Op& op, std::vector<graph::ValueId> inputs, graph::Attributes attributes = {});
  /// x [..., k] times a weight [k, n], plus a bias where asked for.
  graph::ValueId linear(graph::ValueId x, int64_t k, int64_t n, bool bias);
  [[nodiscard]] const Shape& shape(graph::ValueId v) const { return graph_.type(v).shape; }
  Result<graph::Graph> finish(std::string name, graph::ValueId result);

 private:
  DType type_;
  graph::Graph graph_;
  std::optional<Error> error_;
};

/// [m, k] times a weight [k, n].
Result<graph::Graph> gemm(DType type, int64_t m, int64_t k, int64_t n);

struct Convolution {
  int64_t images, height, width, channels, features, kernel, stride, pad;
};
/// Images [N, H, W, C] in and out.
Result<graph::Graph> convolution(DType type, const Convolution& shape);

/// Float8 products scaled by blocks of 128, in bf16: of `groups` times m rows with a matrix of their own [k, n].
struct ScaledProducts {
  int64_t groups, m, k, n;
  /// Rows follow one another, in blocks of 128 of one group, which an index names; else groups are a batch.
  bool contiguous;
};
Result<graph::Graph> scaled_products(const ScaledProducts& shape);

Result<graph::Graph> softmax(DType type, int64_t rows, int64_t columns);
/// With scale and bias.
Result<graph::Graph> layer_norm(DType type, int64_t rows, int64_t columns);
/// By the error function.
Result<graph::Graph> gelu(DType type, int64_t elements);

struct Attention {
  int64_t heads, queries, keys, width;
};
/// softmax(q kT / sqrt(width)) v of independent heads.
Result<graph::Graph> attention(DType type, const Attention& shape);

/// Feed-forward: two products with a GELU between, or gated: silu(x A) * (x B), times C.
Result<graph::Graph> feed_forward(DType type, int64_t tokens, int64_t hidden, int64_t inner, bool gated);

/// One encoder block of BERT: attention, feed-forward of four times the width, residuals, layer norms.
Result<graph::Graph> encoder_block(DType type, int64_t tokens, int64_t hidden, int64_t heads);

/// ResNet (He et al., 2016) of 18 or 50 layers on one picture of 224x224.
Result<graph::Graph> resnet(DType type, int layers);

}  // namespace hadal::bench
