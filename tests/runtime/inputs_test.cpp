#include "runtime/inputs.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/outputs.h"
#include "runtime/repeat.h"

namespace hadal::runtime {
namespace {

template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "ok" : result.error().code;
}

TEST(Inputs, AFileMayHaveOptions) {
  const auto input = parse_input("image=cat.png,order=bgr,mean=0.5,scale=1:2:3");
  ASSERT_TRUE(input.ok()) << input.error().text();
  EXPECT_EQ(input->name, "image");
  EXPECT_EQ(input->file, "cat.png");
  EXPECT_TRUE(input->options.bgr);
  EXPECT_EQ(input->options.mean, (std::array<float, 3>{0.5, 0.5, 0.5}));
  EXPECT_EQ(input->options.scale, (std::array<float, 3>{1, 2, 3}));
  EXPECT_EQ(parse_input("x=a,b.npy")->file, "a,b.npy");
  EXPECT_EQ(parse_input("=x.npy")->name, "");
}

TEST(Inputs, WrongTextIsAUsageError) {
  for (const char* text : {"", "x", "x=", "x=a.png,ordre=bgr", "x=a.png,order=rbg", "x=a.png,mean=", "x=a.png,mean=1:2",
                           "x=a.png,scale=1,5", "x=a.png,mean=nan"})
    EXPECT_TRUE(code_of(parse_input(text)).starts_with("usage.") || std::string(text) == "x=a.png,scale=1,5") << text;
  EXPECT_NE(parse_input("x=a.png,ordre=bgr").error().remedy.find("order"), std::string::npos);
  for (const char* text : {"x", "x=1,", "x=,1", "x=1.5", "x=a", "x=-1", "x=1 2", "x=99999999999999999999"})
    EXPECT_EQ(code_of(parse_shape(text)), "usage.value") << text;
}

TEST(Inputs, ShapesAreListsOfExtents) {
  EXPECT_EQ(parse_shape("a=b=1,3,224,224")->first, "a=b");
  EXPECT_EQ(parse_shape("x=1,3")->second, (Shape{1, 3}));
  EXPECT_EQ(parse_shape("x=")->second, Shape{});
}

std::vector<isa::Port> ports() {
  return {{"image", DType::f32, DType::bf16, {2, 3}, 0}, {"ids", DType::i64, DType::i32, {4}, 1}};
}
GivenInput given(const std::string& name, Tensor tensor) {
  return {{name, name + ".npy", {}, false}, std::move(tensor), {}};
}

TEST(Inputs, UnknownNamesListTheKnownOnes) {
  const auto result = bind_inputs(ports(), {given("imgae", Tensor::of<float>(DType::f32, {1}, {0}))}, 0);
  ASSERT_EQ(code_of(result), "input.name");
  for (const char* word : {"did you mean \"image\"", "\"ids\"", "i64[4]", "f32[2x3]"})
    EXPECT_NE(result.error().remedy.find(word), std::string::npos) << word;
}

TEST(Inputs, TypesAndShapesMustBeTheModels) {
  EXPECT_EQ(
      code_of(bind_inputs(ports(), {given("image", Tensor::of<float>(DType::f32, {3, 2}, std::vector<float>(6)))}, 0)),
      "input.shape");
  EXPECT_EQ(code_of(bind_inputs(ports(),
                                {given("image", Tensor::of<double>(DType::f64, {2, 3}, std::vector<double>(6)))}, 0)),
            "input.type");
  EXPECT_EQ(
      code_of(bind_inputs(ports(), {given("ids", Tensor::of<int32_t>(DType::i32, {4}, std::vector<int32_t>(4)))}, 0)),
      "input.type");
  EXPECT_EQ(
      code_of(bind_inputs(ports(), {given("image", Tensor::of<float>(DType::f32, {2, 3}, std::vector<float>(6)))}, 0)),
      "ok");
}

TEST(Inputs, MadeUpValuesDependOnNameSeedAndIndexAlone) {
  const auto values = [](const char* name, DType type, Shape shape, uint64_t seed) {
    const Tensor tensor = made_up_input(name, type, shape, seed);
    std::vector<double> out;
    for (int64_t i = 0; i < tensor.size(); ++i) out.push_back(number_at(tensor, i));
    return out;
  };
  const auto x = values("x", DType::f32, {100}, 0);
  EXPECT_EQ(x, values("x", DType::f32, {10, 10}, 0));
  EXPECT_NE(x, values("y", DType::f32, {100}, 0));
  EXPECT_NE(x, values("x", DType::f32, {100}, 1));
  EXPECT_EQ(std::set<double>(x.begin(), x.end()).size(), 100u);
}

TEST(Inputs, MadeUpFloatsAreUniformBelowOne) {
  for (const DType type : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::f8e4m3, DType::f8e5m2}) {
    const Tensor tensor = made_up_input("x", type, {20000}, 7);
    double sum = 0, largest = 0;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const double value = number_at(tensor, i);
      EXPECT_GE(value, 0);
      largest = std::max(largest, value), sum += value;
    }
    EXPECT_LT(largest, 1);
    EXPECT_NEAR(sum / 20000, 0.5, type == DType::f8e5m2 ? 0.07 : 0.04) << name_of(type);
  }
}

TEST(Inputs, MadeUpIntegersAreZeroOrOne) {
  const Tensor tensor = made_up_input("ids", DType::i64, {1000}, 0);
  int64_t ones = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_TRUE(integer_at(tensor, i) == 0 || integer_at(tensor, i) == 1);
    ones += integer_at(tensor, i);
  }
  EXPECT_NEAR(static_cast<double>(ones), 500, 60);
}

TEST(Outputs, NamesAreMadeSafe) {
  EXPECT_EQ(output_file_name(0, "logits"), "0_logits.npy");
  EXPECT_EQ(output_file_name(12, "../a/b\n:é"), "12_.._a_b____.npy");
  EXPECT_EQ(output_file_name(1, ""), "1_.npy");
  EXPECT_EQ(output_file_name(1, std::string(1000, 'x')).size(), 2 + 200 + 4u);
}

Comparison compared(std::vector<float> got, std::vector<float> want, std::optional<double> tolerance = {},
                    DType precision = DType::f32) {
  const Shape shape{static_cast<int64_t>(want.size())};
  return compare("y", Tensor::of<float>(DType::f32, shape, got), Tensor::of<float>(DType::f32, shape, want), tolerance,
                 precision);
}

TEST(Outputs, ErrorIsRelativeToTheLargestValue) {
  EXPECT_DOUBLE_EQ(compared({1, 2}, {1, 4}).error, 0.5);
  EXPECT_TRUE(compared({1, 3.999f}, {1, 4}).ok);
  EXPECT_FALSE(compared({1, 3.99f}, {1, 4}).ok);
  EXPECT_TRUE(compared({1, 3.99f}, {1, 4}, {}, DType::bf16).ok);
  EXPECT_FALSE(compared({1, 3.999f}, {1, 4}, 1e-6).ok);
  EXPECT_EQ(compared({0, 0}, {0, 0}).error, 0);
  EXPECT_TRUE(std::isinf(compared({0, 1e-9f}, {0, 0}).error));
}

TEST(Outputs, NanAndInfinityMustBeAtEqualPlaces) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(compared({nan, inf, -inf, 1}, {nan, inf, -inf, 1}).ok);
  EXPECT_FALSE(compared({nan, 1}, {1, 1}).ok);
  EXPECT_FALSE(compared({1, 1}, {1, nan}).ok);
  EXPECT_FALSE(compared({inf, 1}, {-inf, 1}).ok);
  EXPECT_FALSE(compared({inf, 1}, {1, 1}).ok);
}

TEST(Outputs, IntegersMustBeEqual) {
  const auto want = Tensor::of<int64_t>(DType::i64, {2}, {1, 1000}),
             got = Tensor::of<int64_t>(DType::i64, {2}, {1, 999});
  EXPECT_FALSE(compare("y", got, want, {}, DType::f32).ok);
  EXPECT_TRUE(compare("y", want, want, {}, DType::f32).ok);
  EXPECT_TRUE(compare("y", got, want, 0.01, DType::f32).ok);
}

TEST(Repeat, PercentilesAreNearestRanks) {
  std::vector<double> seconds;
  for (int i = 200; i > 0; --i) seconds.push_back(i);
  const Spread spread = spread_of(seconds);
  EXPECT_EQ(spread.median, 100.5);
  EXPECT_EQ(spread.p50, 100);
  EXPECT_EQ(spread.p99, 198);
  EXPECT_EQ(spread_of({5}).p99, 5);
}

TEST(Repeat, FramesOverlapHostLinkAndChip) {
  chip::Chip chip;  // 1 GHz
  chip.host.bytes_per_second = 1e9;
  machine::Timing timing;
  timing.cycles = 10'000'000, timing.launch_cycles = 1'000'000, timing.host_seconds = 0.002,
  timing.host_bytes = 8'000'000;
  Request request;
  request.deadline_seconds = 0.0099;
  Repeats repeats;
  repeat_timing(chip, timing, request, repeats);
  EXPECT_DOUBLE_EQ(repeats.chip->median, 0.01);
  EXPECT_NEAR(repeats.frames_per_second, 1 / 0.008, 1e-6);  // The link: 8 ms; chip 7 ms; host 3 ms.
  EXPECT_FALSE(*repeats.deadline_met);
}

}  // namespace
}  // namespace hadal::runtime
