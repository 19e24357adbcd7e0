// What becomes of quantised models: products of bytes, whose sums leave as the formula of docs/numerics.md says.
#include "compile/integers.h"

#include "compile/compiled.h"
#include "graph/ops.h"

namespace hadal::compile {
namespace {

namespace ops = graph::ops;
using graph::Attributes;
using graph::Graph;
using graph::ValueId;
using Integers = std::vector<int64_t>;

Tensor bytes(DType dtype, const Shape& shape, unsigned seed, int64_t low, int64_t high) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int64_t> any(low, high);
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(dtype, shape, data);
  for (int64_t i = 0; i < tensor.size(); ++i)
    store_number(dtype, data + i * bytes_of(dtype), static_cast<double>(any(random)));
  return tensor;
}
Tensor bytes(DType dtype, const Shape& shape, unsigned seed) {
  return bytes(dtype, shape, seed, least_of(dtype), most_of(dtype));
}
Tensor scalar(float value) { return Tensor::of(DType::f32, {}, std::vector<float>{value}); }
Tensor zero_point(DType dtype, int64_t value) {
  return cast(Tensor::of(DType::i64, {}, std::vector<int64_t>{value}), dtype);
}

/// A graph being written.
struct Model {
  Graph graph;
  int constants = 0;

  ValueId constant(const Tensor& tensor) { return graph.add_constant(fmt::format("c{}", constants++), tensor); }
  ValueId make(const graph::Op& op, const std::vector<ValueId>& operands, Attributes attributes = {}) {
    auto made = graph.add(op, operands, std::move(attributes), {std::string(op.name)});
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
    return (*made)[0];
  }
  ValueId dequantized(ValueId x, const Tensor& scale, int64_t zero) {
    return make(ops::dequantize, {x, constant(scale), constant(zero_point(graph.type(x).dtype, zero))});
  }
  ValueId quantized(ValueId x, float scale, int64_t zero, DType to) {
    return make(ops::quantize, {x, constant(scalar(scale)), constant(zero_point(to, zero))},
                {{"to", std::string(name_of(to))}});
  }
};

/// round(sum * factor) + zero within the type; the sum is exact until it is f32.
double requantised(int64_t sum, float factor, int64_t zero, DType to, int64_t low) {
  const float steps = std::nearbyint(static_cast<float>(sum) * factor);
  return std::clamp(static_cast<double>(steps) + static_cast<double>(zero), static_cast<double>(low),
                    static_cast<double>(most_of(to)));
}

Result<Tensor> value(const Graph& graph, const std::vector<Tensor>& inputs, const chip::Chip& chip = chip_with()) {
  HADAL_TRY(const std::vector<Tensor> values, compiled_values(graph, inputs, chip));
  return values[0];
}

/// Multiply-accumulates by element type.
std::map<DType, uint64_t> macs_of(const Graph& graph, const chip::Chip& chip) {
  const auto program = compile(graph, chip, {});
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().text());
  std::map<DType, uint64_t> macs;
  if (program.ok())
    for (const isa::Layer& layer : program->layers)
      if (layer.macs > 0) macs[layer.precision] += layer.macs;
  return macs;
}

struct ConvCase {
  DType x;
  int64_t zero;
  int64_t groups, stride, pad;
  bool per_channel, relu;
};

class Convolution : public testing::TestWithParam<ConvCase> {
 protected:
  static constexpr int64_t channels = 8, features = 16, size = 13, kernel = 3;
  static constexpr float x_scale = 0.037f, y_scale = 0.9f;

  Convolution()
      : x_(bytes(GetParam().x, {2, channels, size, size}, 1)),
        w_(bytes(DType::i8, {features, channels / GetParam().groups, kernel, kernel}, 2)),
        bias_(bytes(DType::i32, {features}, 3, -40000, 40000)) {
    for (int64_t o = 0; o < features; ++o)
      scales_.push_back(GetParam().per_channel ? 0.003f * static_cast<float>(o + 1) : 0.011f);
  }

  [[nodiscard]] Graph graph() const {
    const ConvCase c = GetParam();
    Model model;
    const ValueId x = model.graph.add_input("x", {c.x, x_.shape});
    Tensor scales = c.per_channel ? Tensor::of(DType::f32, {features, 1, 1, 1}, scales_) : scalar(scales_[0]);
    std::vector<float> products;
    for (const float scale : scales_) products.push_back(scale * x_scale);
    const ValueId bias = model.make(
        ops::dequantize, {model.constant(bias_), model.constant(Tensor::of(DType::f32, {features}, products))});
    ValueId y = model.make(
        ops::conv,
        {model.dequantized(x, scalar(x_scale), c.zero), model.dequantized(model.constant(w_), scales, 0), bias},
        {{"strides", Integers{c.stride, c.stride}},
         {"pads", Integers{c.pad, c.pad, c.pad, c.pad}},
         {"groups", c.groups}});
    if (c.relu) y = model.make(ops::relu, {y});
    model.graph.outputs = {model.quantized(y, y_scale, 5, DType::i8)};
    return std::move(model.graph);
  }

  [[nodiscard]] int64_t sum(int64_t n, int64_t o, int64_t row, int64_t column) const {
    const ConvCase c = GetParam();
    const int64_t inputs = channels / c.groups, first = o / (features / c.groups) * inputs;
    auto total = static_cast<int64_t>(number_at(bias_, o));
    for (int64_t i = 0; i < inputs; ++i)
      for (int64_t k = 0; k < kernel * kernel; ++k) {
        const int64_t h = row * c.stride + k / kernel - c.pad, w = column * c.stride + k % kernel - c.pad;
        if (h < 0 || w < 0 || h >= size || w >= size) continue;
        const double x = number_at(x_, ((n * channels + first + i) * size + h) * size + w);
        total += (static_cast<int64_t>(x) - c.zero) *
                 static_cast<int64_t>(number_at(w_, (o * inputs + i) * kernel * kernel + k));
      }
    return total;
  }

  Tensor x_, w_, bias_;
  std::vector<float> scales_;
};

TEST_P(Convolution, IsExactUntilItIsScaled) {
  const auto got = value(graph(), {x_});
  ASSERT_TRUE(got.ok()) << got.error().text();
  const int64_t rows = got->shape[2];
  ASSERT_EQ(got->dtype, DType::i8);
  for (int64_t i = 0; i < got->size(); ++i) {
    const int64_t o = i / (rows * rows) % features;
    const float factor = x_scale * scales_[static_cast<size_t>(o)] / y_scale;
    const int64_t total = sum(i / (rows * rows) / features, o, i / rows % rows, i % rows);
    ASSERT_EQ(number_at(*got, i), requantised(total, factor, 5, DType::i8, GetParam().relu ? 5 : -128)) << i;
  }
  const auto macs = macs_of(graph(), chip_with());
  EXPECT_EQ(macs.size(), 1U);
  EXPECT_EQ(macs.begin()->first, GetParam().x);
}

INSTANTIATE_TEST_SUITE_P(
    Integers, Convolution,
    testing::Values(ConvCase{DType::i8, 0, 1, 1, 1, true, false}, ConvCase{DType::i8, -128, 1, 2, 1, true, true},
                    ConvCase{DType::u8, 3, 1, 1, 2, false, true}, ConvCase{DType::i8, 17, 2, 1, 1, true, false},
                    ConvCase{DType::i8, -128, 8, 2, 1, true, false}, ConvCase{DType::u8, 128, 8, 1, 0, false, false}));

struct ProductCase {
  DType a, b;
  int64_t zero_a, zero_b, depth;
  bool constant, swapped;
};

class Product : public testing::TestWithParam<ProductCase> {};

/// Deep sums pass what f32 holds: their zero points and bias are added as integers.
TEST_P(Product, IsExactUntilItIsScaled) {
  const ProductCase c = GetParam();
  constexpr int64_t rows = 5, columns = 24;
  constexpr float scale = 1e-3f, y_scale = 2.0f;
  const Tensor a = bytes(c.a, {rows, c.depth}, 4, most_of(c.a) - 40, most_of(c.a));
  const Tensor b =
      bytes(c.b, c.swapped ? Shape{columns, c.depth} : Shape{c.depth, columns}, 5, most_of(c.b) - 40, most_of(c.b));
  const Tensor bias = bytes(DType::i32, {columns}, 6, -3000, 3000);
  Model model;
  const ValueId left = model.graph.add_input("a", {c.a, a.shape});
  const ValueId right = c.constant ? model.constant(b) : model.graph.add_input("b", {c.b, b.shape});
  ValueId y = model.make(
      ops::matmul, {model.dequantized(left, scalar(scale), c.zero_a), model.dequantized(right, scalar(1), c.zero_b)},
      {{"transpose_b", int64_t{c.swapped}}});
  y = model.make(ops::add, {y, model.make(ops::dequantize, {model.constant(bias), model.constant(scalar(scale))})});
  model.graph.outputs = {model.quantized(y, y_scale, 0, DType::i8)};
  std::vector<Tensor> inputs{a};
  if (!c.constant) inputs.push_back(b);
  const auto got = value(model.graph, inputs);
  ASSERT_TRUE(got.ok()) << got.error().text();
  for (int64_t i = 0; i < rows * columns; ++i) {
    const int64_t row = i / columns, column = i % columns;
    auto total = static_cast<int64_t>(number_at(bias, column));
    for (int64_t k = 0; k < c.depth; ++k)
      total += (static_cast<int64_t>(number_at(a, row * c.depth + k)) - c.zero_a) *
               (static_cast<int64_t>(number_at(b, c.swapped ? column * c.depth + k : k * columns + column)) - c.zero_b);
    ASSERT_EQ(number_at(*got, i), requantised(total, scale / y_scale, 0, DType::i8, -128)) << i;
  }
  const auto macs = macs_of(model.graph, chip_with());
  EXPECT_EQ(macs.size(), 1U);
  EXPECT_EQ(macs.begin()->first, c.a);
}

INSTANTIATE_TEST_SUITE_P(Integers, Product,
                         testing::Values(ProductCase{DType::i8, DType::i8, 120, 0, 64, true, true},
                                         ProductCase{DType::i8, DType::i8, 100, 0, 3001, true, false},
                                         ProductCase{DType::u8, DType::u8, 230, 200, 96, true, false},
                                         ProductCase{DType::i8, DType::i8, 100, 90, 64, false, false},
                                         ProductCase{DType::u8, DType::i8, 250, 90, 2000, false, true}));

/// Numbers that a model only moves stay the bytes that they are.
TEST(Integers, MovementsKeepTheBytes) {
  Model model;
  const Tensor x = bytes(DType::i8, {2, 6, 4}, 7);
  ValueId y = model.dequantized(model.graph.add_input("x", {DType::i8, x.shape}), scalar(0.1f), 3);
  y = model.make(ops::transpose, {y}, {{"order", Integers{0, 2, 1}}});
  y = model.make(ops::reshape, {y}, {{"shape", Integers{8, 6}}});
  y = model.make(ops::concat, {y, y}, {{"axis", int64_t{1}}});
  model.graph.outputs = {model.quantized(y, 0.1f, 3, DType::i8)};
  Graph rewritten = model.graph;
  ASSERT_TRUE(use_integers(rewritten, chip_with()).ok());
  for (const graph::Node& node : rewritten.nodes)
    EXPECT_EQ(rewritten.type(node.outputs[0]).dtype, DType::i8) << node.op->name;
  const auto got = value(model.graph, {x});
  ASSERT_TRUE(got.ok()) << got.error().text();
  expect_close(*got, (*graph::evaluate(model.graph, {x}))[0], 0);
}

/// What is no product is computed in f32 between the bytes, as the reference defines it.
TEST(Integers, SumsOfQuantisedTensorsAreThoseOfTheirNumbers) {
  Model model;
  const Tensor a = bytes(DType::i8, {64, 64}, 8), b = bytes(DType::u8, {64, 64}, 9);
  const ValueId x = model.dequantized(model.graph.add_input("a", {DType::i8, a.shape}), scalar(0.1f), 3);
  const ValueId y = model.dequantized(model.graph.add_input("b", {DType::u8, b.shape}), scalar(0.03f), 100);
  const ValueId sum = model.make(ops::clip, {model.make(ops::add, {x, y})}, {{"alpha", 0.0}, {"beta", 6.0}});
  model.graph.outputs = {model.quantized(sum, 0.07f, -100, DType::i8)};
  const auto got = value(model.graph, {a, b});
  ASSERT_TRUE(got.ok()) << got.error().text();
  expect_close(*got, (*graph::evaluate(model.graph, {a, b}))[0], 0);
}

TEST(Integers, AChipWithoutThemMultipliesFloats) {
  const chip::Chip chip = *chip::load_chip("tpu-v3");
  Model model;
  const Tensor a = bytes(DType::i8, {16, 32}, 10), b = bytes(DType::i8, {32, 8}, 11);
  const ValueId x = model.dequantized(model.graph.add_input("a", {DType::i8, a.shape}), scalar(0.5f), 3);
  model.graph.outputs = {model.quantized(
      model.make(ops::matmul, {x, model.dequantized(model.constant(b), scalar(0.25f), 0)}), 50, 1, DType::i8)};
  const auto macs = macs_of(model.graph, chip);
  ASSERT_EQ(macs.size(), 1U);
  EXPECT_EQ(macs.begin()->first, DType::f32);
  const auto got = value(model.graph, {a}, chip);
  ASSERT_TRUE(got.ok()) << got.error().text();
  expect_close(*got, (*graph::evaluate(model.graph, {a}))[0], 1);
}

}  // namespace
}  // namespace hadal::compile
