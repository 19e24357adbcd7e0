// The scalar functions against numbers computed with mpmath, to nine digits.
#include "graph/ops/scalar.h"

#include <limits>
#include <set>

#include "graph/helpers.h"

namespace hadal::graph {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Case {
  const Op* op;
  std::vector<float> x;
  std::vector<double> expected;
  Attributes attributes = {};
};

TEST(Scalar, UnaryFunctions) {
  using namespace ops;
  const std::vector<Case> cases{
      {&neg, {1.5f, -2}, {-1.5, 2}},
      {&abs, {1.5f, -2}, {1.5, 2}},
      {&sign, {3, -0.5f, 0}, {1, -1, 0}},
      {&floor, {1.5f, -1.5f}, {1, -2}},
      {&ceil, {1.5f, -1.5f}, {2, -1}},
      {&round, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f}, {0, 2, 2, 0, -2}},
      {&exp, {1, -2}, {2.718281828, 0.135335283}},
      {&log, {2, 0.5f}, {0.693147181, -0.693147181}},
      {&sqrt, {2}, {1.414213562}},
      {&rsqrt, {2}, {0.707106781}},
      {&reciprocal, {4, -0.5f}, {0.25, -2}},
      {&sin, {1}, {0.841470985}},
      {&cos, {1}, {0.540302306}},
      {&tan, {1}, {1.557407725}},
      {&asin, {0.5f}, {0.523598776}},
      {&acos, {0.5f}, {1.047197551}},
      {&atan, {1}, {0.785398163}},
      {&sinh, {1}, {1.175201194}},
      {&cosh, {1}, {1.543080635}},
      {&tanh, {1, -0.5f}, {0.761594156, -0.462117157}},
      {&asinh, {1}, {0.881373587}},
      {&acosh, {2}, {1.316957897}},
      {&atanh, {0.5f}, {0.549306144}},
      {&erf, {0.5f, -1}, {0.520499878, -0.842700793}},
      {&is_nan, {1, NAN}, {0, 1}},
      {&is_inf, {1, INFINITY, -INFINITY, NAN}, {0, 1, 1, 0}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.op->name);
    const auto n = static_cast<int64_t>(c.x.size());
    expect_values(run(*c.op, {floats({n}, c.x)}, c.attributes)[0], {n}, c.expected);
  }
}

TEST(Scalar, Activations) {
  using namespace ops;
  const std::vector<float> x{-2, -0.5f, 0, 0.5f, 2};
  const std::vector<Case> cases{
      {&relu, x, {0, 0, 0, 0.5, 2}},
      {&leaky_relu, x, {-0.02, -0.005, 0, 0.5, 2}},
      {&leaky_relu, x, {-0.4, -0.1, 0, 0.5, 2}, {{"alpha", 0.2}}},
      {&elu, x, {-0.864664717, -0.393469340, 0, 0.5, 2}},
      {&selu, x, {-1.520166309, -0.691758121, 0, 0.525350511, 2.101402044}},
      {&celu, x, {-1.264241118, -0.442398434, 0, 0.5, 2}, {{"alpha", 2.0}}},
      {&sigmoid, x, {0.119202922, 0.377540669, 0.5, 0.622459331, 0.880797078}},
      {&hard_sigmoid, x, {0.1, 0.4, 0.5, 0.6, 0.9}},
      {&hard_swish, x, {-0.333333333, -0.208333333, 0, 0.291666667, 1.666666667}},
      {&silu, x, {-0.238405844, -0.188770335, 0, 0.311229666, 1.761594156}},
      {&gelu, x, {-0.045500264, -0.154268770, 0, 0.345731230, 1.954499736}},
      {&gelu_tanh, x, {-0.045402306, -0.154285992, 0, 0.345714008, 1.954597694}},
      {&softplus, x, {0.126928011, 0.474076984, 0.693147181, 0.974076984, 2.126928011}},
      {&softsign, x, {-0.666666667, -0.333333333, 0, 0.333333333, 0.666666667}},
      {&mish, x, {-0.252501482, -0.220743775, 0, 0.375245306, 1.943958960}},
      {&thresholded_relu, x, {0, 0, 0, 0, 2}},
      {&clip, x, {-1, -0.5, 0, 0.5, 1}, {{"alpha", -1.0}, {"beta", 1.0}}},
      {&clip, x, {0, 0, 0, 0.5, 2}, {{"alpha", 0.0}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.op->name);
    expect_values(run(*c.op, {floats({5}, c.x)}, c.attributes)[0], {5}, c.expected, 2e-6);
  }
}

TEST(Scalar, BinaryFunctionsBroadcast) {
  const Tensor column = floats({2, 1}, {6, -7}), row = floats({3}, {4, -2, 0.5f});
  expect_values(run(ops::add, {column, row})[0], {2, 3}, {10, 4, 6.5, -3, -9, -6.5});
  expect_values(run(ops::sub, {column, row})[0], {2, 3}, {2, 8, 5.5, -11, -5, -7.5});
  expect_values(run(ops::mul, {column, row})[0], {2, 3}, {24, -12, 3, -28, 14, -3.5});
  expect_values(run(ops::div, {column, row})[0], {2, 3}, {1.5, -3, 12, -1.75, 3.5, -14});
  expect_values(run(ops::rem, {column, row})[0], {2, 3}, {2, 0, 0, 1, -1, 0});
  expect_values(run(ops::fmod, {column, row})[0], {2, 3}, {2, 0, 0, -3, -1, 0});
  expect_values(run(ops::min, {column, row})[0], {2, 3}, {4, -2, 0.5, -7, -7, -7});
  expect_values(run(ops::max, {column, row})[0], {2, 3}, {6, 6, 6, 4, -2, 0.5});
  expect_values(run(ops::prelu, {column, row})[0], {2, 3}, {6, 6, 6, -28, 14, -3.5});
  expect_values(run(ops::less, {column, row})[0], {2, 3}, {0, 0, 0, 1, 1, 1});
  expect_values(run(ops::pow, {floats({2}, {2, 9}), floats({2}, {10, 0.5f})})[0], {2}, {1024, 3});
}

TEST(Scalar, ExtremaPropagateNan) {
  const Tensor a = floats({2}, {NAN, 1}), b = floats({2}, {1, NAN});
  expect_values(run(ops::max, {a, b})[0], {2}, {nan, nan});
  expect_values(run(ops::min, {a, b})[0], {2}, {nan, nan});
  expect_values(run(ops::relu, {floats({1}, {NAN})})[0], {1}, {nan});
}

TEST(Scalar, IntegersAreExact) {
  constexpr int64_t big = (int64_t{1} << 62) + 1;
  const Tensor x = integers({3}, {big, -big, 7});
  EXPECT_EQ(integer_at(run(ops::add, {x, integers({1}, {1})})[0], 0), big + 1);
  EXPECT_EQ(integer_at(run(ops::neg, {x})[0], 1), big);
  EXPECT_EQ(integer_at(run(ops::max, {x, integers({1}, {0})})[0], 0), big);
  const Tensor seven = integers({2}, {7, -7}), three = integers({1}, {-3});
  expect_values(run(ops::div, {seven, three})[0], {2}, {-2, 2});   // towards zero
  expect_values(run(ops::rem, {seven, three})[0], {2}, {-2, -1});  // sign of the divisor
  expect_values(run(ops::fmod, {seven, three})[0], {2}, {1, -1});
  expect_values(run(ops::div, {seven, integers({1}, {0})})[0], {2}, {0, 0});
  expect_values(run(ops::pow, {integers({2}, {3, -2}), integers({1}, {5})})[0], {2}, {243, -32});
}

TEST(Scalar, NarrowIntegersWrap) {
  const Tensor x = Tensor::of(DType::u8, {2}, std::vector<uint8_t>{250, 3});
  expect_values(run(ops::add, {x, x})[0], {2}, {244, 6});
  expect_values(run(ops::shift_left, {x, x})[0], {2}, {0, 24});
  expect_values(run(ops::bit_and, {x, Tensor::of(DType::u8, {1}, std::vector<uint8_t>{6})})[0], {2}, {2, 2});
}

TEST(Scalar, BoolAndWhere) {
  const Tensor p = Tensor::of(DType::boolean, {4}, std::vector<uint8_t>{0, 0, 1, 1});
  const Tensor q = Tensor::of(DType::boolean, {4}, std::vector<uint8_t>{0, 1, 0, 1});
  expect_values(run(ops::and_, {p, q})[0], {4}, {0, 0, 0, 1});
  expect_values(run(ops::or_, {p, q})[0], {4}, {0, 1, 1, 1});
  expect_values(run(ops::xor_, {p, q})[0], {4}, {0, 1, 1, 0});
  expect_values(run(ops::not_, {p})[0], {4}, {1, 1, 0, 0});
  expect_values(run(ops::where, {p, floats({4}, {1, 2, 3, 4}), floats({1}, {-1})})[0], {4}, {-1, -1, 3, 4});
}

TEST(Scalar, SmallFloatsRoundOnce) {
  const Tensor x = cast(floats({2}, {1.0f, 3.0f}), DType::bf16), y = cast(floats({1}, {1.0f / 256}), DType::bf16);
  expect_values(run(ops::add, {x, y})[0], {2}, {1, 3});  // 1 + 2^-8 lies between two bf16 and goes to the even one
  EXPECT_EQ(run(ops::div, {x, cast(floats({1}, {3}), DType::bf16)})[0].dtype, DType::bf16);
}

TEST(Scalar, EveryRowHasItsOpAndName) {
  std::set<std::string_view> names;
  for (const Op* op : scalar_ops()) {
    ASSERT_NE(scalar_function(*op), nullptr) << op->name;
    EXPECT_EQ(scalar_function(*op)->name, op->name);
    EXPECT_TRUE(names.insert(op->name).second) << op->name;
  }
  EXPECT_EQ(scalar_function(ops::conv), nullptr);
}

TEST(Scalar, Refusals) {
  const Type f{DType::f32, {2, 3}}, i{DType::i64, {2, 3}}, b{DType::boolean, {2, 3}};
  EXPECT_EQ(refusal(ops::add, {f, i}), "add.dtype");
  EXPECT_EQ(refusal(ops::add, {f, {DType::f32, {2, 4}}}), "add.broadcast");
  EXPECT_EQ(refusal(ops::add, {f}), "add.operands");
  EXPECT_EQ(refusal(ops::exp, {i}), "exp.dtype");
  EXPECT_EQ(refusal(ops::relu, {b}), "relu.dtype");
  EXPECT_EQ(refusal(ops::and_, {f, f}), "and.dtype");
  EXPECT_EQ(refusal(ops::where, {f, f, f}), "where.condition");
}

TEST(Scalar, InfinityInClipOfIntegers) {
  expect_values(run(ops::clip, {integers({3}, {-5, 3, 9})}, {{"alpha", -infinity}, {"beta", 4.0}})[0], {3}, {-5, 3, 4});
}

}  // namespace
}  // namespace hadal::graph
