// Each op on small operands; the numbers are NumPy's or worked out by hand.
#include "graph/helpers.h"
#include "graph/ops/resize.h"

namespace hadal::graph {
namespace {

std::vector<float> count(int64_t n) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<float>(i));
  return out;
}

using Integers = std::vector<int64_t>;
using Numbers = std::vector<double>;

TEST(Movement, Transpose) {
  expect_values(run(ops::transpose, {floats({2, 3}, count(6))}, {{"order", Integers{1, 0}}})[0], {3, 2},
                {0, 3, 1, 4, 2, 5});
  EXPECT_EQ(refusal(ops::transpose, {{DType::f32, {2, 3}}}, {{"order", Integers{0, 0}}}), "transpose.axis");
}

TEST(Movement, BroadcastAndReshape) {
  expect_values(run(ops::broadcast, {floats({2, 1}, {1, 2})}, {{"shape", Integers{2, 2, 3}}})[0], {2, 2, 3},
                {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  expect_values(run(ops::reshape, {floats({2, 3}, count(6))}, {{"shape", Integers{3, 2}}})[0], {3, 2},
                {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(refusal(ops::reshape, {{DType::f32, {2, 3}}}, {{"shape", Integers{4}}}), "reshape.C1");
  EXPECT_EQ(refusal(ops::broadcast, {{DType::f32, {2}}}, {{"shape", Integers{3}}}), "broadcast.C1");
}

TEST(Movement, SliceWithNegativeStep) {
  const Attributes backwards{{"starts", Integers{0, 2}}, {"steps", Integers{1, -2}}, {"sizes", Integers{2, 2}}};
  expect_values(run(ops::slice, {floats({2, 3}, count(6))}, backwards)[0], {2, 2}, {2, 0, 5, 3});
  EXPECT_EQ(refusal(ops::slice, {{DType::f32, {4}}},
                    {{"starts", Integers{2}}, {"steps", Integers{2}}, {"sizes", Integers{2}}}),
            "slice.C2");
}

TEST(Movement, PadModes) {
  const auto pad = [](const char* mode, double value = 0) {
    return run(ops::pad, {floats({3}, {1, 2, 3})},
               {{"low", Integers{2}}, {"high", Integers{4}}, {"mode", mode}, {"value", value}})[0];
  };
  expect_values(pad("constant", 9), {9}, {9, 9, 1, 2, 3, 9, 9, 9, 9});
  expect_values(pad("edge"), {9}, {1, 1, 1, 2, 3, 3, 3, 3, 3});
  expect_values(pad("reflect"), {9}, {3, 2, 1, 2, 3, 2, 1, 2, 3});
  expect_values(pad("wrap"), {9}, {2, 3, 1, 2, 3, 1, 2, 3, 1});
}

TEST(Movement, ConcatAndCast) {
  expect_values(run(ops::concat, {floats({2, 1}, {1, 2}), floats({2, 2}, {3, 4, 5, 6})}, {{"axis", int64_t{1}}})[0],
                {2, 3}, {1, 3, 4, 2, 5, 6});
  expect_values(run(ops::cast, {floats({4}, {1.9f, -1.9f, 300, -300})}, {{"to", "i8"}})[0], {4}, {1, -1, 127, -128});
  const Tensor big = integers({1}, {(int64_t{1} << 62) + 1});
  EXPECT_EQ(integer_at(run(ops::cast, {big}, {{"to", "i64"}})[0], 0), (int64_t{1} << 62) + 1);
}

TEST(Indexing, Gather) {
  const Tensor x = floats({3, 2}, count(6));
  expect_values(run(ops::gather, {x, integers({2}, {2, -3})}, {{"axis", int64_t{0}}})[0], {2, 2}, {4, 5, 0, 1});
  expect_values(run(ops::gather, {x, integers({1, 1}, {9})}, {{"axis", int64_t{1}}})[0], {3, 1, 1},
                {1, 3, 5});  // clamped
  expect_values(run(ops::gather_elements, {x, integers({1, 2}, {2, 1})}, {{"axis", int64_t{0}}})[0], {1, 2}, {4, 3});
}

TEST(Indexing, Scatter) {
  const Tensor x = floats({3}, {1, 2, 3});
  expect_values(run(ops::scatter, {x, integers({2}, {1, 1}), floats({2}, {10, 20})},
                    {{"axis", int64_t{0}}, {"combine", "add"}})[0],
                {3}, {1, 32, 3});
  expect_values(run(ops::scatter, {x, integers({2}, {1, -3}), floats({2}, {10, 20})}, {{"axis", int64_t{0}}})[0], {3},
                {20, 10, 3});
  expect_values(run(ops::scatter, {floats({2, 2}, count(4)), integers({1, 1}, {1}), floats({1, 2}, {7, 8})},
                    {{"axis", int64_t{0}}})[0],
                {2, 2}, {0, 1, 7, 8});
}

TEST(Order, TopkCumsumArgReduce) {
  const Tensor x = floats({2, 4}, {3, 1, 4, 1, 5, 9, 2, 6});
  const auto top = run(ops::topk, {x}, {{"k", int64_t{2}}, {"axis", int64_t{1}}, {"largest", int64_t{1}}});
  expect_values(top[0], {2, 2}, {4, 3, 9, 6});
  expect_values(top[1], {2, 2}, {2, 0, 1, 3});
  const auto least = run(ops::topk, {x}, {{"k", int64_t{2}}, {"axis", int64_t{1}}, {"largest", int64_t{0}}});
  expect_values(least[1], {2, 2}, {1, 3, 2, 0});
  expect_values(run(ops::cumsum, {x}, {{"axis", int64_t{1}}})[0], {2, 4}, {3, 4, 8, 9, 5, 14, 16, 22});
  expect_values(run(ops::cumsum, {x}, {{"axis", int64_t{1}}, {"exclusive", int64_t{1}}, {"reverse", int64_t{1}}})[0],
                {2, 4}, {6, 5, 1, 0, 17, 8, 6, 0});
  expect_values(run(ops::arg_reduce, {x}, {{"kind", "min"}, {"axis", int64_t{1}}, {"keep", int64_t{0}}})[0], {2},
                {1, 2});
  expect_values(run(ops::arg_reduce, {x}, {{"kind", "min"}, {"axis", int64_t{1}}, {"last", int64_t{1}}})[0], {2, 1},
                {3, 2});
}

TEST(Contraction, MatmulBroadcastsAndTransposes) {
  const Tensor a = floats({2, 1, 2}, {1, 2, 3, 4}), b = floats({2, 3}, count(6));
  expect_values(run(ops::matmul, {a, b})[0], {2, 1, 3}, {6, 9, 12, 12, 19, 26});
  expect_values(run(ops::matmul, {floats({2, 3}, count(6)), b}, {{"transpose_b", int64_t{1}}})[0], {2, 2},
                {5, 14, 14, 50});
  expect_values(run(ops::matmul, {floats({2, 3}, count(6)), b}, {{"transpose_a", int64_t{1}}})[0], {3, 3},
                {9, 12, 15, 12, 17, 22, 15, 22, 29});
  EXPECT_EQ(refusal(ops::matmul, {{DType::f32, {2, 3}}, {DType::f32, {4, 5}}}), "matmul.C2");
}

TEST(Contraction, BlocksOf128AreScaled) {
  // Two blocks of k; columns 0 to 127 and 128 of two blocks of n.
  const Tensor a = floats({1, 130}, std::vector<float>(130, 1)),
               b = floats({130, 129}, std::vector<float>(130 * 129, 2));
  const Tensor of_a = floats({1, 2}, {3, 5}), of_b = floats({2, 2}, {1, 10, 100, 1000});
  const Tensor product = run(ops::scaled_matmul, {a, b, of_a, of_b}, {{"to", "f32"}})[0];
  EXPECT_EQ(number_at(product, 0), 256 * 3 * 1 + 4 * 5 * 100);
  EXPECT_EQ(number_at(product, 127), 256 * 3 * 1 + 4 * 5 * 100);
  EXPECT_EQ(number_at(product, 128), 256 * 3 * 10 + 4 * 5 * 1000);
  const Type f8{DType::f8e4m3, {1, 130}}, w{DType::f8e4m3, {130, 129}}, scale{DType::f32, {1, 2}};
  EXPECT_EQ(refusal(ops::scaled_matmul, {f8, w, scale, {DType::f32, {2, 1}}}, {{"to", "bf16"}}), "scaled_matmul.C1");
  EXPECT_EQ(refusal(ops::scaled_matmul, {f8, w, scale, {DType::f32, {2, 2}}}, {{"to", "i32"}}), "scaled_matmul.dtype");
}

TEST(Contraction, BytesAccumulateInWords) {
  const Tensor a = Tensor::of(DType::i8, {1, 3}, std::vector<int8_t>{-128, 127, 127}),
               b = Tensor::of(DType::u8, {3, 1}, std::vector<uint8_t>{255, 255, 255});
  const Tensor product = run(ops::matmul, {a, b})[0];
  EXPECT_EQ(product.dtype, DType::i32);
  expect_values(product, {1, 1}, {126 * 255});
}

TEST(Contraction, Convolution) {
  const Tensor x = floats({1, 1, 3, 3}, count(9)), w = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  expect_values(run(ops::conv, {x, w})[0], {1, 1, 2, 2}, {27, 37, 57, 67});
  const Attributes padded{{"pads", Integers{1, 0, 0, 1}}, {"strides", Integers{2, 1}}};
  expect_values(run(ops::conv, {x, w, floats({1}, {100})}, padded)[0], {1, 1, 2, 3}, {104, 111, 106, 157, 167, 129});
  const Attributes dilated{{"dilations", Integers{2, 2}}};
  expect_values(run(ops::conv, {x, w}, dilated)[0], {1, 1, 1, 1}, {0 * 1 + 2 * 2 + 6 * 3 + 8 * 4});
}

TEST(Contraction, ConvolutionInGroupsAndOneDimension) {
  const Tensor x = floats({1, 2, 3}, count(6)), w = floats({4, 1, 2}, {1, 0, 0, 1, 1, 1, 2, 0});
  expect_values(run(ops::conv, {x, w}, {{"groups", int64_t{2}}})[0], {1, 4, 2}, {0, 1, 1, 2, 7, 9, 6, 8});
  EXPECT_EQ(refusal(ops::conv, {{DType::f32, {1, 3, 4}}, {DType::f32, {2, 2, 1}}}), "conv.C2");
  EXPECT_EQ(refusal(ops::conv, {{DType::f32, {1, 1, 4}}, {DType::f32, {1, 1, 5}}}), "conv.window");
}

TEST(Contraction, TransposedConvolution) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), w = floats({1, 1, 2, 2}, {1, 10, 100, 1000});
  expect_values(run(ops::conv_transpose, {x, w})[0], {1, 1, 3, 3}, {1, 12, 20, 103, 1234, 2040, 300, 3400, 4000});
  const Attributes strided{
      {"strides", Integers{2, 2}}, {"pads", Integers{0, 0, 1, 1}}, {"output_padding", Integers{1, 0}}};
  expect_values(run(ops::conv_transpose, {x, w}, strided)[0], {1, 1, 4, 3},
                {1, 10, 2, 100, 1000, 200, 3, 30, 4, 300, 3000, 400});
}

TEST(Reduction, Kinds) {
  const Tensor x = floats({2, 2}, {1, -2, 3, 4});
  const auto reduce = [&](const char* kind, Integers axes, int64_t keep = 0) {
    return run(ops::reduce, {x}, {{"kind", kind}, {"axes", std::move(axes)}, {"keep", keep}})[0];
  };
  expect_values(reduce("sum", {1}), {2}, {-1, 7});
  expect_values(reduce("mean", {0}, 1), {1, 2}, {2, 1});
  expect_values(reduce("max", {0, 1}), {}, {4});
  expect_values(reduce("min", {1}), {2}, {-2, 3});
  expect_values(reduce("prod", {1}), {2}, {-2, 12});
  expect_values(reduce("sum_square", {1}), {2}, {5, 25});
  expect_values(reduce("l1", {1}), {2}, {3, 7});
  expect_values(reduce("l2", {1}), {2}, {2.236067977, 5});
  expect_values(reduce("log_sum_exp", {1}), {2}, {1.048587352, 4.313261688});
  expect_values(run(ops::reduce, {floats({2, 0}, {})}, {{"kind", "sum"}, {"axes", Integers{1}}})[0], {2, 1}, {0, 0});
}

TEST(Reduction, PoolDividesByWhatItCounts) {
  const Tensor x = floats({1, 1, 3}, {1, 2, 6});
  const auto mean = [&](int64_t count_pad, int64_t extra) {
    return run(ops::pool, {x},
               {{"kind", "mean"},
                {"kernel", Integers{2}},
                {"strides", Integers{2}},
                {"pads", Integers{1, 0}},
                {"extra", Integers{extra}},
                {"count_pad", count_pad}})[0];
  };
  expect_values(mean(0, 0), {1, 1, 2}, {1, 4});
  expect_values(mean(1, 0), {1, 1, 2}, {0.5, 4});
  expect_values(run(ops::pool, {x},
                    {{"kind", "mean"},
                     {"kernel", Integers{2}},
                     {"strides", Integers{2}},
                     {"extra", Integers{1}},
                     {"count_pad", int64_t{1}}})[0],
                {1, 1, 2}, {1.5, 6});
}

TEST(Kept, SoftmaxAndNormalize) {
  expect_values(run(ops::softmax, {floats({1, 3}, {1, 2, 3})}, {{"axis", int64_t{1}}})[0], {1, 3},
                {0.090030573, 0.244728471, 0.665240956});
  expect_values(run(ops::softmax, {floats({1, 3}, {1000, 1001, 1002})}, {{"axis", int64_t{1}}, {"log", int64_t{1}}})[0],
                {1, 3}, {-2.407605964, -1.407605964, -0.407605964});
  const Tensor x = floats({1, 4}, {1, 2, 3, 6}), scale = floats({4}, {1, 1, 2, 2}), bias = floats({4}, {0, 1, 0, 1});
  expect_values(run(ops::normalize, {x, scale, bias}, {{"axes", Integers{1}}, {"epsilon", 0.0}})[0], {1, 4},
                {-1.069044968, 0.465477516, 0, 4.207134903});
  expect_values(run(ops::normalize, {x}, {{"axes", Integers{1}}, {"epsilon", 0.0}, {"kind", "rms"}})[0], {1, 4},
                {0.282842712, 0.565685425, 0.848528137, 1.697056275});
}

Attributes resize_to(Integers sizes, Numbers scales, const char* mode, const char* coordinates) {
  return {{"mode", mode}, {"coordinates", coordinates}, {"sizes", std::move(sizes)}, {"scales", std::move(scales)}};
}

// The expected values of these are those of PyTorch's interpolate.
TEST(Kept, Resize) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  expect_values(run(ops::resize, {x}, resize_to({1, 1, 4, 4}, {1, 1, 2, 2}, "nearest", "half_pixel"))[0], {1, 1, 4, 4},
                {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  expect_values(run(ops::resize, {x}, resize_to({1, 1, 2, 4}, {1, 1, 1, 2}, "linear", "half_pixel"))[0], {1, 1, 2, 4},
                {1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4});
  expect_values(run(ops::resize, {x}, resize_to({1, 1, 2, 3}, {1, 1, 1, 1.5}, "linear", "align_corners"))[0],
                {1, 1, 2, 3}, {1, 1.5, 2, 3, 3.5, 4});
  expect_values(run(ops::resize, {floats({1, 4}, {1, 2, 3, 4})}, resize_to({1, 2}, {1, 0.5}, "cubic", "half_pixel"))[0],
                {1, 2}, {1.40625, 3.59375});
}

TEST(Kept, ResizeTablesSumToOne) {
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* coordinates :
         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      const auto tables = resize_tables({5, 7}, resize_to({8, 3}, {1.6, 3.0 / 7}, mode, coordinates));
      ASSERT_TRUE(tables.ok());
      ASSERT_EQ(tables->size(), 2u);
      for (const ResizeTable& table : *tables)
        for (size_t i = 0; i < table.weights.size(); i += static_cast<size_t>(table.taps)) {
          double sum = 0;
          for (size_t t = 0; t < static_cast<size_t>(table.taps); ++t) sum += static_cast<double>(table.weights[i + t]);
          EXPECT_NEAR(sum, 1, 1e-6) << mode << " " << coordinates;
        }
    }
}

TEST(Host, NonMaxSuppression) {
  const Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 10, 1, 11}),
               scores = floats({1, 1, 3}, {0.9f, 0.75f, 0.6f});
  const Tensor kept = integers({1}, {3}), overlap = floats({1}, {0.5f}), score = floats({}, {0});
  const auto rows = run(ops::non_max_suppression, {boxes, scores, kept, overlap, score}, {{"most", int64_t{3}}});
  expect_values(rows[0], {3, 3}, {0, 0, 0, 0, 0, 2, -1, -1, -1});
}

TEST(Graph, EvaluateVerifyAndText) {
  Graph graph;
  graph.name = "g";
  const ValueId x = graph.add_input("x", {DType::f32, {2}});
  const ValueId c = graph.add_constant("c", floats({2}, {1, 2}));
  const auto sum = graph.add(ops::add, {x, c}, {}, {"node"});
  ASSERT_TRUE(sum.ok());
  graph.outputs = {(*sum)[0]};
  EXPECT_TRUE(verify(graph).ok());
  const auto out = evaluate(graph, {floats({2}, {10, 20})});
  ASSERT_TRUE(out.ok());
  expect_values((*out)[0], {2}, {11, 22});
  EXPECT_EQ(text_of(graph),
            "graph g\n  input %x: f32[2]\n  constant %c: f32[2]\n  %node#2: f32[2] = add(%x, %c)  # node\n  return "
            "%node#2\n");
}

TEST(Graph, AnUnknownAttributeIsAnError) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, {2}});
  const auto bad = graph.add(ops::relu, {x}, {{"colour", int64_t{1}}}, {"node"});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, "relu.attribute");
  EXPECT_EQ(bad.error().place, "node");
}

TEST(Graph, VerifyFindsBrokenStructure) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, {2}});
  graph.outputs = {(*graph.add(ops::relu, {x}, {}, {"a"}))[0]};
  Graph twice = graph;
  twice.values[1].name = "x";
  EXPECT_FALSE(verify(twice).ok());
  Graph typed = graph;
  typed.values[1].type.shape = {3};
  EXPECT_FALSE(verify(typed).ok());
  Graph early = graph;
  early.nodes[0].inputs = {1};
  EXPECT_FALSE(verify(early).ok());
}

TEST(Graph, EveryOpHasANameAndASummary) {
  for (const Op* op : all_ops()) {
    EXPECT_EQ(op_named(op->name), op);
    EXPECT_TRUE(op->summary.ends_with('.')) << op->name;
  }
  EXPECT_EQ(op_named("nothing"), nullptr);
}

}  // namespace
}  // namespace hadal::graph
