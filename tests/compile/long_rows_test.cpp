// Rows that do not fit a tile: what is computed in pieces is what the graph says.
#include "compile/long_rows.h"

#include <algorithm>
#include <limits>

#include "compile/compiled.h"
#include "compile/rows.h"
#include "graph/ops.h"

namespace hadal::compile {
namespace {

namespace ops = graph::ops;
using graph::Attributes;
using Axes = std::vector<int64_t>;

constexpr int64_t small = 128 << 10;  // A tile then holds 800 elements of f32, and a result of 672.
constexpr double infinity = std::numeric_limits<double>::infinity();

graph::Graph graph_of(const graph::Op& op, const std::vector<Tensor>& inputs, const Attributes& attributes) {
  graph::Graph graph;
  std::vector<graph::ValueId> operands;
  for (const Tensor& x : inputs)
    operands.push_back(graph.add_input(fmt::format("x{}", operands.size()), {x.dtype, x.shape}));
  const auto made = graph.add(op, operands, attributes, {"node"});
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
  graph.outputs = made.ok() ? *made : std::vector<graph::ValueId>{};
  return graph;
}

/// Compares the compiled op with its reference, and its pieces with what they stand for.
void expect_pieces(const graph::Op& op, const std::vector<Tensor>& inputs, const Attributes& attributes,
                   int64_t scratchpad = small, double tolerance = 2e-6) {
  const chip::Chip chip = chip_with(scratchpad);
  const graph::Graph whole = graph_of(op, inputs, attributes);
  graph::Graph pieces = whole;
  const Status status = cut_long_rows(pieces, chip);
  ASSERT_TRUE(status.ok()) << status.error().text();
  ASSERT_TRUE(graph::verify(pieces).ok()) << graph::verify(pieces).error().text();
  EXPECT_GT(pieces.nodes.size(), 1U);
  for (const graph::Node& node : pieces.nodes) {
    EXPECT_TRUE(row_fit(pieces, node, chip).fits()) << node.op->name;
    EXPECT_EQ(node.origins, std::vector<std::string>{"node"});
  }
  const auto want = graph::evaluate(whole, inputs);
  const auto got = compiled_values(whole, inputs, chip);
  ASSERT_TRUE(want.ok()) << want.error().text();
  ASSERT_TRUE(got.ok()) << got.error().text();
  for (size_t i = 0; i < want->size(); ++i) expect_close((*got)[i], (*want)[i], tolerance);
}

Tensor with(Tensor tensor, const std::vector<std::pair<int64_t, double>>& changes) {
  std::byte* data = nullptr;
  Tensor out = Tensor::zeros(tensor.dtype, tensor.shape, data);
  std::copy(tensor.bytes.view.begin(), tensor.bytes.view.end(), data);
  for (const auto& [at, value] : changes) store_number(out.dtype, data + at * bytes_of(out.dtype), value);
  return out;
}

struct Extent {
  Shape shape;
  Axes axes;
};
// Prime and divisible lengths; several axes, the last and not.
const std::vector<Extent> extents{{{3, 2003}, {1}},       {{2, 1800, 3}, {1}}, {{4, 40, 50}, {1, 2}},
                                  {{1009, 5, 2}, {0, 2}}, {{907, 3}, {0}},     {{2, 3, 1600, 1}, {1, 2, 3}}};

TEST(LongRows, Reductions) {
  for (const char* kind : {"sum", "mean", "max", "min", "sum_square", "l1", "l2", "log_sum_exp"})
    for (const Extent& e : extents)
      for (const int64_t keep : {0, 1}) {
        SCOPED_TRACE(fmt::format("{} of {}", kind, text_of(e.shape)));
        expect_pieces(ops::reduce, {numbers(DType::f32, e.shape)}, {{"kind", kind}, {"axes", e.axes}, {"keep", keep}},
                      small, 1e-5);
      }
  const Tensor positive = numbers(DType::f32, {3, 2003}, 9);
  expect_pieces(ops::reduce, {positive}, {{"kind", "log_sum"}, {"axes", Axes{1}}});
  std::vector<float> near_one(2003);
  for (size_t i = 0; i < near_one.size(); ++i) near_one[i] = i % 2 == 0 ? 1.01f : 0.995f;
  expect_pieces(ops::reduce, {Tensor::of(DType::f32, {2003}, near_one)}, {{"kind", "prod"}, {"axes", Axes{0}}}, small,
                1e-4);
}

TEST(LongRows, ReductionsOfIntegers) {
  for (const char* kind : {"sum", "mean", "max", "min", "prod", "sum_square", "l1", "l2"})
    for (const DType dtype : {DType::i32, DType::i64}) {
      SCOPED_TRACE(kind);
      expect_pieces(ops::reduce, {numbers(dtype, {3, 2003})}, {{"kind", kind}, {"axes", Axes{1}}}, small, 0);
    }
}

TEST(LongRows, SumsOfNarrowFloatsAreWide) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const double step = dtype == DType::bf16 ? 1.0 / 256 : 1.0 / 2048;
    const Tensor x = numbers(dtype, {2, 4096}, 2);
    expect_pieces(ops::reduce, {x}, {{"kind", "mean"}, {"axes", Axes{1}}}, small, step);
    expect_pieces(ops::cumsum, {x}, {{"axis", int64_t{1}}}, small, step);
    expect_pieces(ops::softmax, {x}, {{"axis", int64_t{1}}}, small, step);
    expect_pieces(ops::normalize, {x}, {{"axes", Axes{1}}, {"epsilon", 1e-5}}, small, step);
  }
}

TEST(LongRows, Normalisation) {
  for (const char* kind : {"layer", "rms"})
    for (const Extent& e : extents) {
      SCOPED_TRACE(fmt::format("{} of {}", kind, text_of(e.shape)));
      const Attributes attributes{{"axes", e.axes}, {"epsilon", 1e-5}, {"kind", kind}};
      expect_pieces(ops::normalize, {numbers(DType::f32, e.shape)}, attributes);
      expect_pieces(ops::normalize,
                    {numbers(DType::f32, e.shape, 3), numbers(DType::f32, {e.shape.back()}), numbers(DType::f32, {1})},
                    attributes, small, 1e-5);
    }
}

TEST(LongRows, NormalisationFarFromZero) {
  const Tensor x = numbers(DType::f32, {2, 5000}, 4096);  // One pass over squares would leave no digit.
  expect_pieces(ops::normalize, {x}, {{"axes", Axes{1}}, {"epsilon", 1e-5}}, small, 1e-3);
  expect_pieces(ops::normalize, {Tensor::of(DType::f32, {1, 2003}, std::vector<float>(2003, 0.5f))},
                {{"axes", Axes{1}}, {"epsilon", 1e-5}}, small, 1e-3);
}

TEST(LongRows, Softmax) {
  for (const int64_t log : {0, 1})
    for (const Extent& e : {extents[0], extents[1], extents[4]}) {
      const Attributes attributes{{"axis", e.axes[0]}, {"log", log}};
      const Tensor x = numbers(DType::f32, e.shape);
      expect_pieces(ops::softmax, {x}, attributes);
      // One piece of nothing, a large offset, a row of which nothing is left.
      expect_pieces(ops::softmax, {with(x, {{0, -infinity}, {5, -infinity}})}, attributes);
      expect_pieces(ops::softmax, {with(x, {{3, infinity}})}, attributes);
      expect_pieces(ops::softmax, {numbers(DType::f32, e.shape, -1e6)}, attributes);
    }
  expect_pieces(ops::softmax, {Tensor::of(DType::f32, {1, 2003}, std::vector<float>(2003, -1e9f))},
                {{"axis", int64_t{1}}});
}

TEST(LongRows, PlacesOfExtremes) {
  for (const char* kind : {"max", "min"})
    for (const int64_t last : {0, 1})
      for (const Extent& e : {extents[0], extents[1], extents[4]}) {
        const Attributes attributes{{"kind", kind}, {"axis", e.axes[0]}, {"keep", last}, {"last", last}};
        const Tensor x = numbers(DType::f32, e.shape);
        expect_pieces(ops::arg_reduce, {x}, attributes);
        expect_pieces(ops::arg_reduce, {with(x, {{700, infinity}, {701, -infinity}, {30, infinity}})}, attributes);
        expect_pieces(ops::arg_reduce, {numbers(DType::i32, e.shape, -9)}, attributes);
        std::byte* zeros = nullptr;
        expect_pieces(ops::arg_reduce, {Tensor::zeros(DType::f32, e.shape, zeros)}, attributes);
      }
}

TEST(LongRows, Selection) {
  for (const int64_t largest : {0, 1})
    for (const int64_t k : {1, 5, 100})
      for (const Extent& e : {extents[0], extents[1], extents[4]}) {
        const Attributes attributes{{"k", k}, {"axis", e.axes[0]}, {"largest", largest}, {"sorted", int64_t{1}}};
        const Tensor x = numbers(DType::f32, e.shape);
        expect_pieces(ops::topk, {x}, attributes);
        expect_pieces(ops::topk, {with(x, {{2, infinity}, {9, -infinity}})}, attributes);
      }
  // The winners of all pieces are a long row again.
  expect_pieces(ops::topk, {numbers(DType::f32, {2, 20011})}, {{"k", int64_t{150}}, {"axis", int64_t{1}}});
}

TEST(LongRows, RunningSums) {
  for (const int64_t exclusive : {0, 1})
    for (const int64_t reverse : {0, 1})
      for (const Extent& e : {extents[0], extents[1], extents[4]}) {
        const Attributes attributes{{"axis", e.axes[0]}, {"exclusive", exclusive}, {"reverse", reverse}};
        expect_pieces(ops::cumsum, {numbers(DType::f32, e.shape)}, attributes);
        expect_pieces(ops::cumsum, {numbers(DType::i32, e.shape)}, attributes, small, 0);
        expect_pieces(ops::cumsum, {with(numbers(DType::f32, e.shape), {{900, infinity}})}, attributes);
      }
}

TEST(LongRows, Lookups) {
  const Tensor table = numbers(DType::f32, {3, 2003, 2});
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < 2 * 40 * 2; ++i) indices.push_back(i * 37 % 2003 - (i % 3 == 0 ? 2003 : 0));
  expect_pieces(ops::gather_elements, {table, Tensor::of(DType::i64, {2, 40, 2}, indices)}, {{"axis", int64_t{1}}});
}

TEST(LongRows, VocabulariesOnTheFlagship) {
  for (const int64_t n : {50'257, 200'003}) {
    SCOPED_TRACE(n);
    const Tensor x = numbers(DType::f32, {2, n});
    const int64_t axis = 1;
    expect_pieces(ops::softmax, {x}, {{"axis", axis}}, 0);
    expect_pieces(ops::arg_reduce, {x}, {{"kind", "max"}, {"axis", axis}}, 0);
    expect_pieces(ops::topk, {x}, {{"k", int64_t{50}}, {"axis", axis}}, 0);
    expect_pieces(ops::cumsum, {x}, {{"axis", axis}}, 0, 1e-5);
    expect_pieces(ops::normalize, {x}, {{"axes", Axes{1}}, {"epsilon", 1e-5}}, 0);
    for (const char* kind : {"mean", "l2", "log_sum_exp"})
      expect_pieces(ops::reduce, {x}, {{"kind", kind}, {"axes", Axes{0, 1}}}, 0);
  }
}

TEST(LongRows, NaNIsTreatedAsInWholeRows) {
  const Tensor x = with(numbers(DType::f32, {2, 2003}), {{50, NAN}, {1500, NAN}});
  const std::vector<std::pair<const graph::Op*, Attributes>> cases{
      {&ops::reduce, {{"kind", "max"}, {"axes", Axes{1}}}},
      {&ops::reduce, {{"kind", "min"}, {"axes", Axes{1}}}},
      {&ops::reduce, {{"kind", "log_sum_exp"}, {"axes", Axes{1}}}},
      {&ops::softmax, {{"axis", int64_t{1}}}},
      {&ops::normalize, {{"axes", Axes{1}}}},
      {&ops::arg_reduce, {{"kind", "max"}, {"axis", int64_t{1}}}},
      {&ops::arg_reduce, {{"kind", "min"}, {"axis", int64_t{1}}, {"last", int64_t{1}}}},
      {&ops::topk, {{"k", int64_t{3}}, {"axis", int64_t{1}}, {"largest", int64_t{1}}}},
      {&ops::topk, {{"k", int64_t{3}}, {"axis", int64_t{1}}, {"largest", int64_t{0}}, {"sorted", int64_t{0}}}}};
  for (const auto& [op, attributes] : cases) {
    SCOPED_TRACE(op->name);
    const graph::Graph graph = graph_of(*op, {x}, attributes);
    const auto pieces = compiled_values(graph, {x}, chip_with(small)), whole = compiled_values(graph, {x}, chip_with());
    ASSERT_TRUE(pieces.ok() && whole.ok());
    for (size_t i = 0; i < whole->size(); ++i) expect_close((*pieces)[i], (*whole)[i], 2e-6);
  }
}

TEST(LongRows, RowsThatFitStay) {
  const graph::Graph whole = graph_of(ops::softmax, {numbers(DType::f32, {2, 672})}, {{"axis", int64_t{1}}});
  graph::Graph pieces = whole;
  ASSERT_TRUE(cut_long_rows(pieces, chip_with(small)).ok());
  EXPECT_EQ(graph::text_of(pieces), graph::text_of(whole));
}

TEST(LongRows, WhatCannotBeCutIsRefused) {
  const Tensor x = numbers(DType::f32, {1, 2003});
  const graph::Graph graph = graph_of(ops::topk, {x}, {{"k", int64_t{1000}}, {"axis", int64_t{1}}});
  const auto values = compiled_values(graph, {x}, chip_with(small));
  ASSERT_FALSE(values.ok());
  EXPECT_EQ(values.error().code, "plan.capacity");
  EXPECT_NE(values.error().text().find("node"), std::string::npos);
}

}  // namespace
}  // namespace hadal::compile
