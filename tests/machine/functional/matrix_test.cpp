#include "machine/functional/support.h"

namespace hadal::machine {
namespace {

using isa::Opcode;

struct Types {
  DType a, b, out;
  double tolerance;
};
const std::vector<Types> all_types{{DType::f32, DType::f32, DType::f32, 2e-6},
                                   {DType::bf16, DType::bf16, DType::f32, 2e-6},
                                   {DType::bf16, DType::bf16, DType::bf16, 8e-3},
                                   {DType::f16, DType::f16, DType::f16, 2e-3},
                                   {DType::f8e4m3, DType::f8e5m2, DType::f32, 2e-6},
                                   {DType::i8, DType::i8, DType::i32, 0},
                                   {DType::u8, DType::i8, DType::i32, 0},
                                   {DType::u8, DType::u8, DType::i32, 0}};

Tensor operand(DType dtype, const Shape& shape) {
  return random_tensor(dtype, shape, dtype == DType::u8 ? 0 : -128, dtype == DType::u8 ? 255 : 127);
}

std::string name(const Types& t) {
  return std::string(name_of(t.a)) + " x " + std::string(name_of(t.b)) + " to " + std::string(name_of(t.out));
}

TEST(Matmul, FastIsExactForAllTypesAndLayouts) {
  struct Case {
    int64_t batch_a, batch_b, m, k, n;
  };
  for (const Types& t : all_types)
    for (const Case& c : {Case{1, 1, 33, 70, 65},
                          {3, 1, 5, 64, 16},
                          {4, 4, 7, 9, 11},
                          {1, 2, 3, 5, 8},
                          {1, 1, 1, 1100, 10},
                          {1, 1, 1, 1, 1}})
      for (const int layout : {0, 1, 2, 3})
        for (const bool constant : {false, true}) {
          const bool ta = (layout & 1) != 0, tb = (layout & 2) != 0;
          Operation op{Opcode::matmul,
                       {operand(t.a, ta ? Shape{c.batch_a, c.k, c.m} : Shape{c.batch_a, c.m, c.k}),
                        operand(t.b, tb ? Shape{c.batch_b, c.n, c.k} : Shape{c.batch_b, c.k, c.n})},
                       {{t.out, {std::max(c.batch_a, c.batch_b), c.m, c.n}}},
                       {{"transpose_a", ta}, {"transpose_b", tb}}};
          if (constant) op.constant = {1};
          expect_fast_is_exact(
              op, t.tolerance,
              fmt::format("{} {}x{}x{} layout {} constant {}", name(t), c.m, c.k, c.n, layout, constant));
        }
}

TEST(Matmul, ColumnsTimesRowsOfABatch) {
  for (const Types& t : all_types)
    for (const int layout : {0, 1, 2, 3}) {
      const bool ta = (layout & 1) != 0, tb = (layout & 2) != 0;
      const Operation op{
          Opcode::matmul,
          {operand(t.a, ta ? Shape{3, 1, 4} : Shape{3, 4, 1}), operand(t.b, tb ? Shape{1, 11, 1} : Shape{1, 1, 11})},
          {{t.out, {3, 4, 11}}},
          {{"transpose_a", ta}, {"transpose_b", tb}}};
      expect_fast_is_exact(op, t.tolerance, fmt::format("{} layout {}", name(t), layout));
    }
}

TEST(Matmul, ScaledBlocksFastIsExact) {
  for (const DType type : {DType::f8e4m3, DType::bf16})
    for (const int64_t shift : {0, 40})
      for (const int layout : {0, 3}) {
        const bool swapped = layout != 0;
        const int64_t m = 5, k = 300, n = 150, blocks = (shift + n + 127) / 128;
        const Operation op{
            Opcode::matmul_scaled,
            {operand(type, swapped ? Shape{2, k, m} : Shape{2, m, k}),
             operand(type, swapped ? Shape{1, n, k} : Shape{1, k, n}), absent(), absent(), absent(),
             random_tensor(DType::f32, {2, m, 3}, -2, 2), random_tensor(DType::f32, {1, 3, blocks}, -2, 2)},
            {{DType::f32, {2, m, n}}},
            {{"transpose_a", swapped}, {"transpose_b", swapped}, {"shift", shift}}};
        expect_fast_is_exact(op, 2e-6, fmt::format("{} shift {} layout {}", name_of(type), shift, layout));
      }
}

TEST(Matmul, WeightsMayBeColumnsOfMore) {
  for (const Types& t : all_types) {
    const Tensor x = operand(t.a, {1, 20, 48}), w = operand(t.b, {1, 48, 192});
    const auto run = [&](bool exact) {
      ProgramBuilder b;
      const uint16_t a = b.load(b.input(x.dtype, x.shape));
      const uint16_t columns = b.view(b.buffer(w.dtype, {1, 48, 64}), {1, 48, 64});
      b.add(Opcode::load, {columns, b.view(b.weight(w), {1, 48, 64}, {0, 0, 64})});
      const uint16_t out = b.view(b.buffer(t.out, {1, 20, 64}), {1, 20, 64});
      b.add(Opcode::matmul, {out, a, columns});
      b.add(Opcode::store, {b.whole(b.output(t.out, {1, 20, 64})), out});
      ValueOptions options;
      options.exact = exact;
      return run_program(b.finish(), {x}, options);
    };
    const auto want = run(true), got = run(false);
    ASSERT_EQ(got.size(), 1u);
    expect_close(got[0], want[0], t.tolerance, name(t));
  }
}

TEST(Matmul, DeepIntegerSumsAreExact) {
  for (const DType a : {DType::i8, DType::u8}) {
    std::vector<int8_t> ones(9000 * 20, 127);
    Operation op{Opcode::matmul,
                 {operand(a, {1, 3, 9000}), Tensor::of(DType::i8, {1, 9000, 20}, ones)},
                 {{DType::i32, {1, 3, 20}}},
                 {},
                 {1}};
    expect_fast_is_exact(op, 0, "deep");
  }
}

TEST(Matmul, RoundsProductsToBf16) {
  Operation op{Opcode::matmul,
               {operand(DType::f32, {1, 9, 40}), operand(DType::f32, {1, 40, 33})},
               {{DType::f32, {1, 9, 33}}},
               {},
               {1},
               true};
  expect_fast_is_exact(op, 2e-6, "rounded");
  const auto rounded = run_operation(op, true, nothing);
  op.round_to_bf16 = false;
  const auto whole = run_operation(op, true, nothing);
  EXPECT_NE(number_at(rounded[0], 0), number_at(whole[0], 0));
}

struct Window {
  Shape x, w;
  std::array<int64_t, 3> stride{1, 1, 1}, dilation{1, 1, 1}, before{}, after{};
  int64_t groups = 1;
};

ProgramBuilder::Fields fields_of(const Window& c) {
  return {{"stride_d", c.stride[0]},     {"stride_h", c.stride[1]},     {"stride_w", c.stride[2]},
          {"dilation_d", c.dilation[0]}, {"dilation_h", c.dilation[1]}, {"dilation_w", c.dilation[2]},
          {"pad_front", c.before[0]},    {"pad_top", c.before[1]},      {"pad_left", c.before[2]},
          {"pad_back", c.after[0]},      {"pad_bottom", c.after[1]},    {"pad_right", c.after[2]},
          {"groups", c.groups}};
}

Shape conv_shape(const Window& c, int64_t channels, bool spreads) {
  Shape out{c.x[0], 0, 0, 0, channels};
  for (size_t i = 0; i < 3; ++i) {
    const int64_t reach = c.dilation[i] * (c.w[i] - 1) + 1;
    out[1 + i] = spreads ? (c.x[1 + i] - 1) * c.stride[i] + reach - c.before[i] - c.after[i]
                         : (c.x[1 + i] + c.before[i] + c.after[i] - reach) / c.stride[i] + 1;
  }
  return out;
}

void expect_conv(Opcode opcode, const Window& c) {
  for (const Types& t : all_types)
    for (const bool constant : {false, true}) {
      const int64_t channels = opcode == Opcode::conv_depthwise ? c.w[3] * c.w[4] : c.w[4];
      Operation op{opcode,
                   {operand(t.a, c.x), operand(t.b, c.w)},
                   {{t.out, conv_shape(c, channels, opcode == Opcode::conv_transpose)}},
                   fields_of(c)};
      if (constant) op.constant = {1};
      // Sums of more terms round more, in whatever order the host's vectors add them.
      const bool deep = c.w[0] * c.w[1] * c.w[2] * c.w[3] > 1000;
      expect_fast_is_exact(
          op, t.tolerance * (deep ? 2 : 1),
          fmt::format("{} {} x {} w {}", isa::row_of(opcode)->name, name(t), text_of(c.x), text_of(c.w)));
    }
}

TEST(Conv, FastIsExactForAllTypes) {
  expect_conv(Opcode::conv, {{1, 1, 9, 9, 16}, {1, 3, 3, 16, 24}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  expect_conv(Opcode::conv, {{2, 1, 11, 8, 3}, {1, 7, 7, 3, 5}, {1, 2, 2}, {1, 1, 1}, {0, 3, 3}, {0, 2, 3}});
  expect_conv(Opcode::conv, {{1, 1, 6, 5, 8}, {1, 1, 1, 8, 17}});
  expect_conv(Opcode::conv, {{1, 1, 9, 9, 8}, {1, 3, 3, 4, 6}, {1, 1, 1}, {1, 2, 2}, {0, 2, 2}, {0, 2, 2}, 2});
  expect_conv(Opcode::conv, {{1, 4, 5, 6, 3}, {2, 3, 3, 3, 4}, {1, 2, 1}, {1, 1, 1}, {1, 0, 1}, {0, 1, 1}});
  expect_conv(Opcode::conv, {{1, 1, 1, 20, 6}, {1, 1, 5, 6, 8}, {1, 1, 2}, {1, 1, 1}, {0, 0, 2}, {0, 0, 2}});
  expect_conv(Opcode::conv, {{2, 1, 20, 1, 8}, {1, 5, 1, 8, 16}, {1, 2, 1}, {1, 1, 1}, {0, 2, 0}, {0, 1, 0}});
  expect_conv(Opcode::conv, {{1, 3, 9, 1, 8}, {2, 3, 1, 8, 8}, {1, 1, 1}, {1, 2, 1}, {0, 0, 0}, {1, 1, 0}});
  expect_conv(Opcode::conv,
              {{1, 1, 3, 3, 200}, {1, 3, 3, 200, 4}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});  // deep
}

TEST(ConvDepthwise, FastIsExactForAllTypes) {
  expect_conv(Opcode::conv_depthwise, {{1, 1, 9, 9, 16}, {1, 3, 3, 1, 16}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  expect_conv(Opcode::conv_depthwise, {{2, 1, 9, 8, 5}, {1, 3, 3, 2, 5}, {1, 2, 2}, {1, 1, 1}, {0, 0, 1}, {0, 1, 1}});
  expect_conv(Opcode::conv_depthwise, {{1, 3, 5, 6, 4}, {2, 3, 3, 1, 4}, {1, 1, 2}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}});
}

TEST(Conv, WindowsMayLieOutsideOfTheInput) {
  expect_conv(Opcode::conv_depthwise, {{1, 1, 6, 2, 2}, {1, 1, 2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 2, 1}, {0, 2, 2}});
  expect_conv(Opcode::conv_depthwise, {{1, 2, 6, 3, 4}, {1, 1, 1, 2, 4}, {2, 1, 2}, {1, 1, 1}, {1, 1, 1}, {2, 1, 0}});
  expect_conv(Opcode::conv, {{1, 1, 1, 6, 3}, {1, 2, 1, 3, 2}, {1, 2, 2}, {1, 1, 2}, {2, 2, 1}, {1, 2, 2}});
  expect_conv(Opcode::conv, {{1, 1, 2, 3, 8}, {2, 1, 1, 4, 4}, {1, 1, 2}, {2, 2, 2}, {1, 1, 2}, {1, 1, 1}, 2});
}

TEST(ConvTranspose, FastIsExactForAllTypes) {
  expect_conv(Opcode::conv_transpose, {{1, 1, 5, 5, 8}, {1, 2, 2, 8, 6}, {1, 2, 2}});
  expect_conv(Opcode::conv_transpose,
              {{2, 1, 4, 5, 6}, {1, 3, 3, 3, 8}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 0}, 2});
  expect_conv(Opcode::conv_transpose, {{1, 2, 3, 3, 4}, {2, 3, 3, 4, 3}, {1, 2, 1}, {1, 1, 2}, {0, 1, 0}, {0, 0, 1}});
  expect_conv(Opcode::conv_transpose, {{1, 1, 4, 4, 3}, {1, 3, 3, 3, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, -1}, {0, -1, 0}});
  expect_conv(Opcode::conv_transpose, {{2, 1, 5, 2, 3}, {1, 3, 2, 3, 2}, {1, 1, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, -1}});
  expect_conv(Opcode::conv_transpose, {{2, 1, 6, 6, 4}, {1, 1, 3, 4, 2}, {1, 2, 1}, {1, 1, 2}, {0, 0, 2}});
  expect_conv(Opcode::conv_transpose, {{1, 1, 4, 5, 4}, {1, 3, 2, 4, 3}, {1, 2, 3}, {1, 2, 1}});
}

/// Chains as compilers make them; e1 is one number a channel, e2 of the output's shape, e3 a scalar.
const std::vector<std::vector<ProgramBuilder::Step>> epilogues{
    {{"add", {0, 1}}},
    {{"add", {1, 0}}, {"relu", {8}}},
    {{"mul", {0, 1}}, {"add", {8, 2}}, {"clip", {9}, 0, 6}},
    {{"add", {0, 1}}, {"silu", {8}}},
    {{"add", {0, 1}}, {"gelu", {8}}, {"add", {9, 2}}},
    {{"add", {0, 1}}, {"sigmoid", {8}}, {"mul", {8, 9}}},
    {{"constant", {}, 0.125f}, {"mul", {0, 8}}, {"add", {9, 3}}, {"tanh", {10}}},
    {{"sub", {1, 0}}, {"max", {8, 2}}},
    {{"copy", {2}}, {"add", {8, 0}}},
    {{"add", {0, 1}}, {"hard_swish", {8}}},
    {{"add", {0, 2}}, {"leaky_relu", {8}, 0.1f}, {"mul", {9, 3}}, {"elu", {10}, 1.5f}},
};

TEST(Epilogue, FastIsExactForAllTypes) {
  for (size_t e = 0; e < epilogues.size(); ++e)
    for (const Types& t : {all_types[0], all_types[1], Types{DType::bf16, DType::bf16, DType::bf16, 1e-2},
                           Types{DType::u8, DType::i8, DType::f32, 1e-5}, Types{DType::i8, DType::i8, DType::i8, 0.01},
                           Types{DType::f32, DType::f32, DType::bf16, 1e-2}})
      for (const bool conv : {false, true}) {
        const Shape out = conv ? Shape{1, 1, 6, 7, 10} : Shape{2, 6, 10},
                    channel = conv ? Shape{1, 1, 1, 1, 10} : Shape{1, 1, 10};
        const DType residual = t.out == DType::bf16 ? DType::bf16 : DType::f32;
        Operation op{conv ? Opcode::conv : Opcode::matmul,
                     {operand(t.a, conv ? Shape{1, 1, 6, 7, 8} : Shape{2, 6, 8}),
                      operand(t.b, conv ? Shape{1, 3, 3, 8, 10} : Shape{1, 8, 10}), random_tensor(DType::f32, channel),
                      random_tensor(residual, out), random_tensor(DType::f32, Shape(out.size(), 1))},
                     {{t.out, out}},
                     {{"pad_top", 1}, {"pad_left", 1}, {"pad_bottom", 1}, {"pad_right", 1}},
                     {1, 2}};
        if (!conv) op.fields.clear();
        expect_fast_is_exact(op, std::max(t.tolerance, 5e-6), fmt::format("epilogue {} {} conv {}", e, name(t), conv),
                             [&](ProgramBuilder& b) {
                               return ProgramBuilder::Fields{{"epilogue", b.chain(DType::f32, 4, epilogues[e])}};
                             });
      }
}

TEST(Epilogue, ResidualsOfConvolutionsOfFewChannels) {
  for (const Window& c : {Window{{1, 1, 3, 1, 4}, {1, 3, 2, 4, 2}, {1, 2, 1}, {1, 2, 2}, {0, 2, 2}, {0, 2, 0}},
                          Window{{1, 1, 9, 7, 3}, {1, 3, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                          Window{{2, 1, 40, 33, 5}, {1, 5, 3, 5, 3}, {1, 1, 2}, {1, 1, 1}, {0, 2, 1}, {0, 2, 1}}})
    for (const DType type : {DType::f32, DType::bf16})
      for (const bool constant : {false, true}) {
        const Shape out = conv_shape(c, c.w[4], false);
        Operation op{Opcode::conv,
                     {operand(type, c.x), operand(type, c.w), random_tensor(DType::f32, out)},
                     {{DType::f32, out}},
                     fields_of(c)};
        if (constant) op.constant = {1};
        expect_fast_is_exact(op, 5e-6, fmt::format("{} x {}", text_of(c.x), text_of(c.w)), [&](ProgramBuilder& b) {
          return ProgramBuilder::Fields{{"epilogue", b.chain(DType::f32, 2, {{"add", {0, 1}}})}};
        });
      }
}

TEST(Epilogue, KeepsNanOfTheSums) {
  const Tensor a = Tensor::of<float>(DType::f32, {1, 2, 1}, {NAN, 1}), b = operand(DType::f32, {1, 1, 5}),
               zeros = Tensor::of<float>(DType::f32, {1, 1, 5}, {0, 0, 0, 0, 0});
  for (const char* function : {"max", "min", "relu", "clip", "leaky_relu", "abs", "hard_swish", "round"})
    for (const bool exact : {false, true}) {
      const auto got =
          run_operation({Opcode::matmul, {a, b, zeros}, {{DType::f32, {1, 2, 5}}}, {}}, exact, [&](ProgramBuilder& p) {
            const uint8_t other = std::string_view(function).starts_with("m") ? 1 : 0;
            return ProgramBuilder::Fields{
                {"epilogue", p.chain(DType::f32, 2, {{"add", {0, 1}}, {function, {8, other}, 0.25f, 0.5f}})}};
          });
      EXPECT_TRUE(std::isnan(number_at(got[0], 0))) << function << (exact ? " exact" : " fast");
      EXPECT_FALSE(std::isnan(number_at(got[0], 5))) << function;
    }
}

TEST(Epilogue, MakesIntegersOfNanAndOfWhatIsTooLarge) {
  for (const DType out : {DType::i8, DType::u8, DType::i32}) {
    const Operation op{Opcode::matmul,
                       {Tensor::of<uint8_t>(DType::u8, {1, 1, 1}, {255}), operand(DType::i8, {1, 1, 20}),
                        Tensor::of<float>(DType::f32, {1, 1, 1}, {1e9f})},
                       {{out, {1, 1, 20}}},
                       {}};
    for (const char* function : {"sqrt", "copy"})
      expect_fast_is_exact(op, 0, fmt::format("{} to {}", function, name_of(out)), [&](ProgramBuilder& b) {
        return ProgramBuilder::Fields{{"epilogue", b.chain(DType::f32, 2, {{"mul", {0, 1}}, {function, {8}}})}};
      });
  }
}

TEST(Epilogue, MayOverwriteItsResidual) {
  for (const bool exact : {true, false}) {
    ProgramBuilder b;
    const Tensor x = random_tensor(DType::f32, {1, 40, 600}), w = random_tensor(DType::f32, {1, 600, 30}),
                 r = random_tensor(DType::f32, {1, 40, 30});
    const uint16_t a = b.load(b.input(DType::f32, x.shape)), residual = b.load(b.input(DType::f32, r.shape)),
                   weights = b.load(b.weight(w));
    b.add(Opcode::matmul, {residual, a, weights, residual}, {{"epilogue", b.chain(DType::f32, 2, {{"add", {0, 1}}})}});
    b.add(Opcode::store, {b.whole(b.output(DType::f32, r.shape)), residual});
    ValueOptions options;
    options.exact = exact;
    const auto got = run_program(b.finish(), {x, r}, options);
    ASSERT_EQ(got.size(), 1u);
    double want = number_at(r, 33);
    for (int64_t k = 0; k < 600; ++k) want += number_at(x, 600 + k) * number_at(w, k * 30 + 3);
    EXPECT_NEAR(number_at(got[0], 33), want, 1e-3);
  }
}

TEST(Accumulate, AddsUpPartsOfTheContraction) {
  for (const auto& [a, b_type, out, tolerance] :
       {all_types[0], all_types[1], all_types[5], all_types[6], Types{DType::i8, DType::i8, DType::f32, 1e-6}}) {
    const Tensor x = operand(a, {1, 8, 60}), w = operand(b_type, {60, 12});
    std::vector<Tensor> results;
    for (const bool exact : {true, false})
      for (const int64_t parts : {1, 3}) {
        ProgramBuilder b;
        const uint16_t xt = b.input(a, x.shape), wt = b.weight(w), to = b.view(b.buffer(out, {1, 8, 12}), {1, 8, 12});
        const int64_t k = 60 / parts;
        for (int64_t p = 0; p < parts; ++p) {
          const uint16_t left = b.view(b.buffer(a, {1, 8, k}), {1, 8, k}),
                         right = b.view(b.buffer(b_type, {1, k, 12}), {1, k, 12});
          b.add(Opcode::load, {left, b.view(xt, {1, 8, k}, {0, 0, static_cast<int32_t>(p * k)})});
          b.add(Opcode::load, {right, b.view(wt, {k, 12}, {static_cast<int32_t>(p * k), 0})});
          b.add(Opcode::matmul, {to, left, right},
                {{"accumulate", p > 0}, {"emit", p + 1 == parts}, {"accumulator", 256}});
        }
        b.add(Opcode::store, {b.whole(b.output(out, {1, 8, 12})), to});
        ValueOptions options;
        options.exact = exact;
        ValueCounts counts;
        results.push_back(run_program(b.finish(), {x}, options, &counts)[0]);
        EXPECT_EQ(counts.macs, 8u * 12 * 60);
        expect_close(results.back(), results.front(), std::max(tolerance, is_float(a) ? 5e-6 : 0), "accumulate");
      }
  }
}

TEST(Weights, StridedBoxesAreReadInPlace) {
  const Tensor x = random_tensor(DType::f32, {1, 5, 16}), w = random_tensor(DType::f32, {16, 48});
  for (const bool bind : {true, false}) {
    ProgramBuilder b;
    const uint16_t left = b.load(b.input(DType::f32, x.shape)),
                   right = b.view(b.buffer(DType::f32, {16, 12}), {1, 16, 12});
    b.add(Opcode::load, {right, b.view(b.weight(w), {16, 12}, {0, 24})});
    const uint16_t to = b.view(b.buffer(DType::f32, {1, 5, 12}), {1, 5, 12});
    b.add(Opcode::matmul, {to, left, right});
    b.add(Opcode::store, {b.whole(b.output(DType::f32, {1, 5, 12})), to});
    ValueOptions options;
    options.bind_loads = bind;
    const auto got = run_program(b.finish(), {x}, options);
    double want = 0;
    for (int64_t k = 0; k < 16; ++k) want += number_at(x, 16 + k) * number_at(w, k * 48 + 24 + 7);
    EXPECT_NEAR(number_at(got[0], 12 + 7), want, 1e-4);
  }
}

TEST(Weights, StridedBoxesOfBytesArePacked) {
  const Tensor x = operand(DType::i8, {1, 5, 16}), w = operand(DType::i8, {16, 48});
  for (const bool turned : {false, true}) {
    std::vector<Tensor> results;
    for (const bool exact : {false, true}) {
      ProgramBuilder b;
      const Shape box = turned ? Shape{1, 12, 16} : Shape{1, 16, 12};
      const uint16_t left = b.load(b.input(DType::i8, x.shape)), right = b.view(b.buffer(DType::i8, box), box);
      const uint16_t weights = b.weight(w);
      isa::TensorDescriptor& tensor = b.program.tensors[weights];
      if (turned) std::swap(tensor.extents[0], tensor.extents[1]), std::swap(tensor.strides[0], tensor.strides[1]);
      if (!turned) tensor.extents[1] = 24, tensor.strides[1] = 2;  // Every other column.
      b.add(Opcode::load, {right, b.view(weights, {box[1], box[2]})});
      const uint16_t to = b.view(b.buffer(DType::i32, {1, 5, 12}), {1, 5, 12});
      b.add(Opcode::matmul, {to, left, right}, {{"transpose_b", turned}});
      b.add(Opcode::store, {b.whole(b.output(DType::i32, {1, 5, 12})), to});
      ValueOptions options;
      options.exact = exact;
      const auto got = run_program(b.finish(), {x}, options);
      ASSERT_EQ(got.size(), 1u);
      results.push_back(got[0]);
    }
    expect_close(results[0], results[1], 0, turned ? "turned" : "every other column");
  }
}

}  // namespace
}  // namespace hadal::machine
