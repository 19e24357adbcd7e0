#include "bench/operators/models.h"

#include <cmath>
#include <optional>
#include <utility>

#include "graph/ops.h"

namespace hadal::bench {

namespace ops = graph::ops;
using graph::ValueId;

ValueId Net::input(Shape shape) { return input(type_, std::move(shape)); }

ValueId Net::input(DType type, Shape shape) {
  return graph_.add_input(fmt::format("x{}", graph_.inputs.size()), {type, std::move(shape)});
}

ValueId Net::weight(Shape shape) {
  return graph_.add_constant(fmt::format("w{}", graph_.values.size()), Tensor{type_, std::move(shape), {}});
}

ValueId Net::scalar(double value) {
  const Tensor number = cast(Tensor::of<double>(DType::f64, {}, {value}), type_);
  return graph_.add_constant(fmt::format("w{}", graph_.values.size()), number);
}

ValueId Net::add(const graph::Op& op, std::vector<ValueId> inputs, graph::Attributes attributes) {
  if (error_) return 0;
  auto made =
      graph_.add(op, std::move(inputs), std::move(attributes), {fmt::format("{}{}", op.name, graph_.nodes.size())});
  if (made) return made.value()[0];
  error_ = made.error();
  return 0;
}

ValueId Net::linear(ValueId x, int64_t k, int64_t n, bool bias) {
  const ValueId y = add(ops::matmul, {x, weight({k, n})});
  return bias ? add(ops::add, {y, weight({n})}) : y;
}

Result<graph::Graph> Net::finish(std::string name, ValueId result) {
  if (error_) return *error_;
  graph_.name = std::move(name);
  graph_.outputs = {result};
  return std::move(graph_);
}

Result<graph::Graph> gemm(DType type, int64_t m, int64_t k, int64_t n) {
  Net net(type);
  return net.finish("gemm", net.linear(net.input({m, k}), k, n, false));
}

Result<graph::Graph> scaled_products(const ScaledProducts& shape) {
  constexpr int64_t block = 128;  // Elements of a scale, and rows of one group.
  const auto blocks = [](int64_t extent) { return (extent + block - 1) / block; };
  const bool listed = shape.contiguous && shape.groups > 1;
  const int64_t batch = listed ? shape.groups * blocks(shape.m) : shape.groups, m = listed ? block : shape.m;
  Net net(DType::f8e4m3);
  const ValueId a = net.input({batch, m, shape.k});
  // Scales of a column of blocks lie side by side, and so do a column's elements, as the kernels want them.
  const ValueId of_a = net.add(ops::transpose, {net.input(DType::f32, {batch, blocks(shape.k), m})},
                               {{"order", std::vector<int64_t>{0, 2, 1}}});
  ValueId b = net.add(ops::transpose, {net.input({shape.groups, shape.n, shape.k})},
                      {{"order", std::vector<int64_t>{0, 2, 1}}});
  ValueId of_b = net.input(DType::f32, {shape.groups, blocks(shape.k), blocks(shape.n)});
  if (listed) {
    const ValueId group = net.input(DType::i32, {batch});
    b = net.add(ops::gather, {b, group}, {{"axis", int64_t{0}}});
    of_b = net.add(ops::gather, {of_b, group}, {{"axis", int64_t{0}}});
  }
  return net.finish("scaled_products", net.add(ops::scaled_matmul, {a, b, of_a, of_b}, {{"to", "bf16"}}));
}

Result<graph::Graph> softmax(DType type, int64_t rows, int64_t columns) {
  Net net(type);
  return net.finish("softmax", net.add(ops::softmax, {net.input({rows, columns})}, {{"axis", int64_t{1}}}));
}

namespace {

ValueId normalised(Net& net, ValueId x) {
  const auto last = static_cast<int64_t>(net.shape(x).size()) - 1;
  const int64_t columns = net.shape(x).back();
  return net.add(ops::normalize, {x, net.weight({columns}), net.weight({columns})},
                 {{"axes", std::vector<int64_t>{last}}, {"epsilon", 1e-5}, {"kind", "layer"}});
}

/// q, k and v are [heads, rows, width].
ValueId attended(Net& net, ValueId q, ValueId k, ValueId v) {
  const auto width = static_cast<double>(net.shape(q).back());
  const int64_t last = static_cast<int64_t>(net.shape(q).size()) - 1;
  const ValueId scores = net.add(ops::matmul, {q, k}, {{"transpose_b", int64_t{1}}});
  const ValueId scaled = net.add(ops::mul, {scores, net.scalar(1 / std::sqrt(width))});
  return net.add(ops::matmul, {net.add(ops::softmax, {scaled}, {{"axis", last}}), v});
}

}  // namespace

Result<graph::Graph> layer_norm(DType type, int64_t rows, int64_t columns) {
  Net net(type);
  return net.finish("layernorm", normalised(net, net.input({rows, columns})));
}

Result<graph::Graph> gelu(DType type, int64_t elements) {
  Net net(type);
  return net.finish("gelu", net.add(ops::gelu, {net.input({elements})}));
}

Result<graph::Graph> attention(DType type, const Attention& shape) {
  Net net(type);
  const ValueId q = net.input({shape.heads, shape.queries, shape.width});
  const ValueId k = net.input({shape.heads, shape.keys, shape.width});
  const ValueId v = net.input({shape.heads, shape.keys, shape.width});
  return net.finish("attention", attended(net, q, k, v));
}

Result<graph::Graph> feed_forward(DType type, int64_t tokens, int64_t hidden, int64_t inner, bool gated) {
  Net net(type);
  const ValueId x = net.input({tokens, hidden});
  ValueId middle = net.add(gated ? ops::silu : ops::gelu, {net.linear(x, hidden, inner, false)});
  if (gated) middle = net.add(ops::mul, {middle, net.linear(x, hidden, inner, false)});
  return net.finish("feed_forward", net.linear(middle, inner, hidden, false));
}

Result<graph::Graph> encoder_block(DType type, int64_t tokens, int64_t hidden, int64_t heads) {
  Net net(type);
  const ValueId x = net.input({tokens, hidden});
  const int64_t width = hidden / heads;
  const std::vector<int64_t> to_heads{1, 0, 2};
  const auto projected = [&] {
    const ValueId y = net.add(ops::reshape, {net.linear(x, hidden, hidden, true)},
                              {{"shape", std::vector<int64_t>{tokens, heads, width}}});
    return net.add(ops::transpose, {y}, {{"order", to_heads}});
  };
  const ValueId q = projected(), k = projected(), v = projected();
  ValueId y = net.add(ops::transpose, {attended(net, q, k, v)}, {{"order", to_heads}});
  y = net.add(ops::reshape, {y}, {{"shape", std::vector<int64_t>{tokens, hidden}}});
  const ValueId middle = normalised(net, net.add(ops::add, {net.linear(y, hidden, hidden, true), x}));
  y = net.add(ops::gelu, {net.linear(middle, hidden, 4 * hidden, true)});
  y = net.add(ops::add, {net.linear(y, 4 * hidden, hidden, true), middle});
  return net.finish("encoder_block", normalised(net, y));
}

}  // namespace hadal::bench
