// Convolutions whose weights come in chunks and whose strides pass over pixels: compiled, run and timed.
#include "compiled.h"
#include "graph/ops.h"
#include "machine/timing/run.h"

namespace hadal::compile {
namespace {

struct Case {
  int64_t channels, features, height, width, kernel;
  std::vector<int64_t> strides;
  int64_t scratchpad = 0;  ///< Bytes; 0: the flagship's.
  [[nodiscard]] Shape input() const { return {1, channels, height, width}; }
};

/// Of an input under constant weights, without pads.
graph::ValueId add_convolution(graph::Graph& graph, graph::ValueId x, const Case& c) {
  const auto w = graph.add_constant("w", numbers(DType::f32, {c.features, c.channels, c.kernel, c.kernel}));
  const graph::Attributes attributes{{"groups", int64_t{1}},
                                     {"strides", c.strides},
                                     {"dilations", std::vector<int64_t>(2, 1)},
                                     {"pads", std::vector<int64_t>(4, 0)}};
  const auto y = graph.add(graph::ops::conv, {x, w}, attributes, {"y"});
  EXPECT_TRUE(y.ok()) << y.error().text();
  return (*y)[0];
}

graph::Graph convolution(const Case& c) {
  graph::Graph graph;
  graph.outputs = {add_convolution(graph, graph.add_input("x", {DType::f32, c.input()}), c)};
  graph.value(graph.outputs[0]).name = "y";
  return graph;
}

class ChunkedConvolution : public testing::TestWithParam<Case> {};

TEST_P(ChunkedConvolution, GivesTheReferencesValues) {
  const Case& c = GetParam();
  const graph::Graph graph = convolution(c);
  const std::vector<Tensor> inputs{numbers(DType::f32, c.input())};
  const auto values = compiled_values(graph, inputs, chip_with(c.scratchpad));
  ASSERT_TRUE(values.ok()) << values.error().text();
  expect_close((*values)[0], (*graph::evaluate(graph, inputs))[0], 1e-4);
}

// The contraction whole, in chunks that do not fit it evenly or leave too much over, and in parts of several cores.
INSTANTIATE_TEST_SUITE_P(All, ChunkedConvolution,
                         testing::Values(Case{100, 40, 9, 9, 3, {1, 1}}, Case{57, 64, 9, 9, 3, {1, 1}, 256 << 10},
                                         Case{515, 130, 9, 9, 3, {1, 1}, 256 << 10},
                                         Case{1030, 24, 5, 5, 3, {2, 2}, 512 << 10}, Case{67, 260, 12, 12, 1, {2, 2}}));

/// From what another convolution has left on the chip.
uint64_t activation_bytes(const Case& c) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, c.input()});
  const graph::ValueId pixels = add_convolution(graph, x, {c.channels, c.channels, c.height, c.width, 1, {1, 1}});
  graph.outputs = {add_convolution(graph, pixels, c)};
  graph.value(graph.outputs[0]).name = "y";
  const chip::Chip chip = chip_with();
  const auto program = compile(graph, chip, {});
  EXPECT_TRUE(program.ok()) << program.error().text();
  const auto timing = machine::time_program(*program, chip, {});
  EXPECT_TRUE(timing.ok()) << timing.error().text();
  return timing->events.at("shared.read_bytes");
}

TEST(StridedConvolution, ReadsNoPixelThatItDoesNotNeed) {
  EXPECT_EQ(activation_bytes({64, 128, 63, 63, 1, {2, 2}}), uint64_t{32} * 32 * 64 * 4);
}

TEST(StridedConvolution, ReadsPixelsOfLessThanABurstWithTheirNeighbours) {
  EXPECT_EQ(activation_bytes({8, 128, 63, 63, 1, {2, 2}}), uint64_t{32} * 64 * 8 * 4);
}

/// A convolution of small images, with a residual added, and what its first tile of results has of them.
struct Images {
  int64_t images, channels, features, size, kernel, stride = 1, groups = 1;
  const char* chip = "tpu-v3";
};

std::ostream& operator<<(std::ostream& out, const Images& c) {
  return out << c.images << " of " << c.size << ", " << c.channels << " to " << c.features << " on " << c.chip;
}

class SmallImages : public testing::TestWithParam<Images> {};

TEST_P(SmallImages, AreTakenTogether) {
  const Images& c = GetParam();
  graph::Graph graph;
  const auto chip = chip::load_chip(c.chip);
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  std::vector<Tensor> inputs{numbers(DType::f32, {c.images, c.channels, c.size, c.size})};
  const graph::ValueId x = graph.add_input("x", {DType::f32, inputs[0].shape});
  const auto w = graph.add_constant("w", numbers(DType::f32, {c.features, c.channels / c.groups, c.kernel, c.kernel}));
  const auto conv = graph.add(graph::ops::conv, {x, w},
                              {{"groups", c.groups},
                               {"strides", std::vector<int64_t>(2, c.stride)},
                               {"dilations", std::vector<int64_t>(2, 1)},
                               {"pads", std::vector<int64_t>(4, c.kernel / 2)}},
                              {"conv"});
  ASSERT_TRUE(conv.ok()) << conv.error().text();
  inputs.push_back(numbers(DType::f32, graph.type((*conv)[0]).shape));
  const auto y =
      graph.add(graph::ops::add, {(*conv)[0], graph.add_input("r", {DType::f32, inputs[1].shape})}, {}, {"y"});
  graph.value((*y)[0]).name = "y";
  graph.outputs = {(*y)[0]};

  const auto program = compile(graph, *chip, {});
  ASSERT_TRUE(program.ok()) << program.error().text();
  const auto timing = machine::time_program(*program, *chip, {});
  ASSERT_TRUE(timing.ok()) << timing.error().text();
  // Fewer results are stored, each of several images.
  EXPECT_LT(timing->executed.at(isa::Opcode::store), static_cast<uint64_t>(c.images));
  const auto values = compiled_values(graph, inputs, *chip);
  ASSERT_TRUE(values.ok()) << values.error().text();
  expect_close((*values)[0], (*graph::evaluate(graph, inputs))[0], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, SmallImages,
                         testing::Values(Images{16, 64, 64, 7, 3}, Images{9, 96, 40, 7, 3},
                                         Images{13, 64, 128, 14, 3, 2}, Images{16, 128, 64, 5, 1},
                                         Images{16, 64, 64, 7, 3, 1, 2}, Images{24, 64, 64, 7, 3, 1, 1, "hadal-edge"}));

}  // namespace
}  // namespace hadal::compile
