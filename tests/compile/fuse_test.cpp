// What becomes the epilogue of a matrix op.
#include "compile/fuse.h"

#include "compile/compiled.h"
#include "graph/ops.h"

namespace hadal::compile {
namespace {

namespace ops = graph::ops;

/// relu(conv(x, w, bias?) + a sum of `others` inputs).
graph::Graph convolution(bool bias, int others) {
  const Shape shape{1, 4, 6, 6};
  graph::Graph graph;
  std::vector<graph::ValueId> operands{graph.add_input("x", {DType::f32, shape}),
                                       graph.add_constant("w", numbers(DType::f32, {4, 4, 1, 1}))};
  if (bias) operands.push_back(graph.add_constant("bias", numbers(DType::f32, {4})));
  graph::ValueId y = (*graph.add(ops::conv, operands,
                                 {{"strides", std::vector<int64_t>{1, 1}},
                                  {"pads", std::vector<int64_t>{0, 0, 0, 0}},
                                  {"dilations", std::vector<int64_t>{1, 1}},
                                  {"groups", int64_t{1}}},
                                 {"conv"}))[0];
  for (int i = 0; i < others; ++i)
    y = (*graph.add(ops::add, {y, graph.add_input(fmt::format("r{}", i), {DType::f32, shape})}, {}, {"add"}))[0];
  graph.outputs = *graph.add(ops::relu, {y}, {}, {"relu"});
  return graph;
}

TEST(Fuse, ABiasIsAStreamOfTheEpilogue) {
  EXPECT_EQ(fuse(convolution(false, 3)).size(), 1U);
  EXPECT_EQ(fuse(convolution(true, 2)).size(), 1U);
  EXPECT_EQ(fuse(convolution(true, 3)).size(), 2U);
  for (const bool bias : {false, true})
    for (const int others : {2, 3, 4}) {
      const graph::Graph graph = convolution(bias, others);
      const std::vector<Tensor> inputs(static_cast<size_t>(others) + 1, numbers(DType::f32, {1, 4, 6, 6}));
      const auto want = graph::evaluate(graph, inputs), got = compiled_values(graph, inputs, chip_with());
      ASSERT_TRUE(want.ok() && got.ok()) << (got.ok() ? "" : got.error().text());
      expect_close((*got)[0], (*want)[0], 1e-5);
    }
}

TEST(Fuse, AChainHasRoomForAllItsStreams) {
  const Shape shape{64, 64};
  graph::Graph graph;
  graph::ValueId y = graph.add_input("x0", {DType::f32, shape});
  for (int i = 1; i < 8; ++i)
    y = (*graph.add(ops::add, {y, graph.add_input(fmt::format("x{}", i), {DType::f32, shape})}, {}, {"add"}))[0];
  graph.outputs = {y};
  EXPECT_EQ(fuse(graph).size(), 1U);
  const std::vector<Tensor> inputs(8, numbers(DType::f32, shape));
  const auto want = graph::evaluate(graph, inputs), got = compiled_values(graph, inputs, chip_with(256 << 10));
  ASSERT_TRUE(want.ok() && got.ok()) << (got.ok() ? "" : got.error().text());
  expect_close((*got)[0], (*want)[0], 1e-5);
}

}  // namespace
}  // namespace hadal::compile
