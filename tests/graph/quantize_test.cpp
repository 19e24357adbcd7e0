// Integers that stand for numbers.
#include "graph/helpers.h"

namespace hadal::graph {
namespace {

Tensor bytes(DType dtype, Shape shape, const std::vector<int64_t>& values) {
  return cast(Tensor::of(DType::i64, std::move(shape), values), dtype);
}

TEST(Quantize, RoundsTiesToEvenAndSaturates) {
  const Tensor x = floats({6}, {1, 3, -1, 5, 1000, -1000});  // 0.5, 1.5, -0.5, 2.5 steps
  const Tensor y = run(ops::quantize, {x, floats({}, {2}), bytes(DType::i8, {}, {3})}, {{"to", "i8"}})[0];
  EXPECT_EQ(y.dtype, DType::i8);
  expect_values(y, {6}, {3, 5, 3, 5, 127, -128});
  expect_values(run(ops::quantize, {x, floats({}, {2})}, {{"to", "u8"}})[0], {6}, {0, 2, 0, 2, 255, 0});
  expect_values(run(ops::quantize, {x, floats({}, {2})}, {{"to", "i4"}})[0], {6}, {0, 2, 0, 2, 7, -8});
}

TEST(Quantize, ScalesAndZeroPointsBroadcast) {
  const Tensor x = bytes(DType::u8, {2, 2}, {0, 255, 10, 20});
  const Tensor y = run(ops::dequantize, {x, floats({2, 1}, {0.5f, 2}), bytes(DType::u8, {2, 1}, {255, 10})})[0];
  expect_values(y, {2, 2}, {-127.5, 0, 0, 20});
  expect_values(run(ops::dequantize, {x, floats({}, {2})})[0], {2, 2}, {0, 510, 20, 40});
}

TEST(Quantize, RefusesWhatDoesNotFit) {
  const Type x{DType::i8, {2}}, scale{DType::f32, {}}, y{DType::f32, {2}};
  EXPECT_EQ(refusal(ops::dequantize, {x, {DType::f32, {3, 2}}}), "dequantize.broadcast");
  EXPECT_EQ(refusal(ops::dequantize, {x, scale, {DType::u8, {}}}), "dequantize.dtype");
  EXPECT_EQ(refusal(ops::dequantize, {x, {DType::i32, {}}}), "dequantize.dtype");
  EXPECT_EQ(refusal(ops::quantize, {y, scale}, {{"to", "f16"}}), "quantize.to");
  EXPECT_EQ(refusal(ops::quantize, {y, scale}, {{"to", "i64"}}), "quantize.to");
  EXPECT_EQ(refusal(ops::quantize, {y, {DType::f16, {}}}, {{"to", "i8"}}), "quantize.dtype");
  EXPECT_EQ(refusal(ops::quantize, {y, scale, {DType::u8, {}}}, {{"to", "i8"}}), "quantize.dtype");
}

/// What lies outside a convolution's operand need not be 0.
TEST(Quantize, PadsOfAConvolutionHoldWhatIsAsked) {
  const Tensor x = bytes(DType::i8, {1, 1, 1, 2}, {1, 2}), w = bytes(DType::i8, {1, 1, 1, 3}, {1, 10, 100});
  const std::vector<int64_t> pads{0, 1, 0, 1};
  expect_values(run(ops::conv, {x, w}, {{"pads", pads}})[0], {1, 1, 1, 2}, {210, 21});
  expect_values(run(ops::conv, {x, w}, {{"pads", pads}, {"outside", -3.0}})[0], {1, 1, 1, 2}, {207, -279});
}

}  // namespace
}  // namespace hadal::graph
