#include "machine/functional/chain_op.h"
#include "machine/functional/support.h"

namespace hadal::machine {
namespace {

using isa::Opcode;

const std::vector<DType> float_types{DType::f32, DType::f64, DType::f16, DType::bf16, DType::f8e4m3, DType::f8e5m2};
const std::vector<DType> every_type{DType::f32,    DType::f64, DType::f16, DType::bf16, DType::f8e4m3,
                                    DType::f8e5m2, DType::i8,  DType::u8,  DType::i16,  DType::u16,
                                    DType::i32,    DType::u32, DType::i64, DType::u64,  DType::boolean};

/// What rounding to the type may turn a difference in the last place of f32 into.
double tolerance(DType type) {
  switch (type) {
    case DType::f16:
      return 2e-3;
    case DType::bf16:
      return 1e-2;
    case DType::f8e4m3:
      return 0.13;
    case DType::f8e5m2:
      return 0.26;
    default:
      return is_float(type) ? 3e-6 : 0;
  }
}

Tensor any(DType type, const Shape& shape) {
  const bool is_unsigned = !is_float(type) && !info(type).is_signed;
  return random_tensor(type, shape, is_unsigned ? 0 : -100, type == DType::boolean ? 1 : 100);
}

Tensor floats(const std::vector<float>& values) {
  return Tensor::of(DType::f32, {static_cast<int64_t>(values.size())}, values);
}

TEST(ChainOps, NamesForCodeAreInTheTablesOrder) {
  ASSERT_EQ(isa::chain_ops().size(), chain_op_count);
  EXPECT_EQ(isa::chain_op_named("where"), static_cast<uint8_t>(ChainOp::where));
  EXPECT_EQ(isa::chain_op_named("erf"), static_cast<uint8_t>(ChainOp::erf));
  EXPECT_EQ(isa::chain_op_named("clip"), static_cast<uint8_t>(ChainOp::clip));
  EXPECT_EQ(isa::chain_op_named("shift_left"), static_cast<uint8_t>(ChainOp::shift_left));
  EXPECT_EQ(isa::chain_op_named("less_equal"), static_cast<uint8_t>(ChainOp::less_equal));
}

/// Numbers at the edges, and many between.
Tensor edges(DType type) {
  std::vector<double> values{0,     -0.0, 1,  -1,  0.5,  2.5, -2.5, 3.5, 1e-6,  -1e-6, 1e-30,
                             1e-42, 88,   89, -88, -104, 700, -800, 1e6, -1e30, 3.4e38};
  if (is_float(type)) values.insert(values.end(), {INFINITY, -INFINITY, NAN});
  for (int i = -4000; i < 4000; ++i) values.push_back(i * 0.003 + 0.0001);
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(type, {static_cast<int64_t>(values.size())}, data);
  for (size_t i = 0; i < values.size(); ++i)
    store_number(type, data + i * static_cast<size_t>(bytes_of(type)), values[i]);
  return tensor;
}

bool same(double a, double b, double relative) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  return std::fabs(a - b) <= relative * std::max(std::fabs(a), std::fabs(b)) + 1e-37;
}

TEST(Map, EveryOperationIsItsDefinition) {
  for (const auto& op : isa::chain_ops()) {
    if (op.name.starts_with("shift") || op.name.starts_with("bit")) continue;
    for (const auto& [compute, type] :
         {std::pair{DType::f32, DType::f32}, {DType::f64, DType::f64}, {DType::i64, DType::i32}}) {
      const Tensor a = edges(type);
      Tensor b = random_tensor(type, a.shape, -5, 5), c = random_tensor(type, a.shape);
      Operation map{Opcode::map, {a, b, c}, {{type, a.shape}}, {}};
      const auto prepare = [&](ProgramBuilder& p) {
        return ProgramBuilder::Fields{{"chain", p.chain(compute, 3, {{op.name, {0, 1, 2}, 0.7f, 1.3f}})}};
      };
      const auto want = run_operation(map, true, prepare)[0], got = run_operation(map, false, prepare)[0];
      for (int64_t i = 0; i < want.size(); ++i)
        ASSERT_TRUE(same(number_at(got, i), number_at(want, i), 4e-6) ||
                    std::fabs(number_at(got, i) - number_at(want, i)) <=
                        1e-7 * std::fabs(number_at(a, i)))  // near a zero
            << op.name << " of " << number_at(a, i) << ", " << number_at(b, i) << " is " << number_at(got, i)
            << ", not " << number_at(want, i);
    }
  }
}

TEST(Map, BroadcastsAndConvertsStreams) {
  for (const DType type : every_type)
    for (const DType to : {DType::f32, DType::bf16, DType::i8, DType::u8, DType::i64})
      for (const auto& [out, b, c] : {std::tuple{Shape{2, 3, 700}, Shape{1, 1, 700}, Shape{2, 3, 1}},
                                      {Shape{1, 40, 50, 8}, Shape{1, 1, 1, 8}, Shape{1, 40, 50, 1}},
                                      {Shape{3, 5, 7, 2, 3}, Shape{3, 1, 7, 1, 3}, Shape{1, 5, 1, 2, 1}},
                                      {Shape{1}, Shape{1}, Shape{1}},
                                      {Shape{}, Shape{}, Shape{}},
                                      {Shape{2500}, Shape{1}, Shape{2500}}}) {
        Operation map{Opcode::map, {any(type, out), any(DType::f32, b), any(type, c)}, {{to, out}}, {}};
        expect_fast_is_exact(
            map, to == DType::bf16 ? 1e-2 : 0, fmt::format("{} to {} {}", name_of(type), name_of(to), text_of(out)),
            [](ProgramBuilder& p) {
              return ProgramBuilder::Fields{
                  {"chain",
                   p.chain(DType::f32, 3, {{"mul", {0, 1}}, {"add", {8, 2}}, {"sub", {9, 8}}, {"max", {10, 8}}})}};
            });
      }
}

TEST(Map, ConvertsEdgesOfAllTypes) {
  for (const DType from : float_types)
    for (const DType to : every_type) {
      const Tensor a = edges(from);
      expect_fast_is_exact({Opcode::map, {a}, {{to, a.shape}}, {}}, 0,
                           fmt::format("{} to {}", name_of(from), name_of(to)), [&](ProgramBuilder& b) {
                             return ProgramBuilder::Fields{{"chain", b.chain(DType::f32, 1, {{"copy", {0}}})}};
                           });
      expect_fast_is_exact({Opcode::transpose, {a}, {{to, a.shape}}, {}}, 0,
                           fmt::format("{} to {}", name_of(from), name_of(to)));
    }
}

TEST(Map, SaturatesAndRoundsToEven) {
  ProgramBuilder b;
  const Tensor x = floats({300, -300, 2.5f, 3.5f, -0.5f, NAN, 1e20f, -7.6f});
  const uint16_t in = b.load(b.input(DType::f32, x.shape)), out = b.view(b.buffer(DType::i8, x.shape), x.shape);
  b.add(Opcode::map, {out, in}, {{"chain", b.chain(DType::f32, 1, {{"copy", {0}}})}});
  b.add(Opcode::store, {b.whole(b.output(DType::i8, x.shape)), out});
  const auto got = run_program(b.finish(), {x}, {});
  const std::vector<int> want{127, -128, 2, 4, 0, 0, 127, -8};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(got[0].as<int8_t>()[i], want[i]);
}

TEST(Map, IntegersDivideByZeroWithoutHarm) {
  ProgramBuilder b;
  const Tensor x = Tensor::of<int64_t>(DType::i64, {3}, {7, INT64_MIN, -7}),
               y = Tensor::of<int64_t>(DType::i64, {3}, {0, -1, 2});
  const uint16_t p = b.load(b.input(DType::i64, {3})), q = b.load(b.input(DType::i64, {3})),
                 out = b.view(b.buffer(DType::i64, {3}), {3});
  b.add(Opcode::map, {out, p, q}, {{"chain", b.chain(DType::i64, 2, {{"div", {0, 1}}})}});
  b.add(Opcode::store, {b.whole(b.output(DType::i64, {3})), out});
  const auto got = run_program(b.finish(), {x, y}, {});
  EXPECT_EQ(integer_at(got[0], 0), 0);
  EXPECT_EQ(integer_at(got[0], 1), INT64_MIN);
  EXPECT_EQ(integer_at(got[0], 2), -3);
}

TEST(Map, ReadsOnlyStreamsThatAreGiven) {
  ProgramBuilder b;
  const uint16_t in = b.load(b.input(DType::f32, {4})), out = b.view(b.buffer(DType::f32, {4}), {4});
  b.add(Opcode::map, {out, in}, {{"chain", b.chain(DType::f32, 2, {{"add", {0, 1}}})}});
  EXPECT_EQ(error_code(b.finish(), {floats({1, 2, 3, 4})}), "chain.C1");
}

TEST(Reduce, FastIsExactForAllKindsAndTypes) {
  for (const DType type : every_type)
    for (int64_t kind = 0; kind < 10; ++kind)
      for (const auto& [shape, axes] : {std::pair{Shape{3, 37}, 2},
                                        {Shape{37, 3}, 1},
                                        {Shape{2, 5, 7, 9}, 6},
                                        {Shape{2, 5, 7, 9}, 9},
                                        {Shape{4, 1, 33}, 7},
                                        {Shape{6}, 0}}) {
        Shape out = shape;
        for (size_t i = 0; i < out.size(); ++i)
          if ((axes >> i & 1) != 0) out[i] = 1;
        Operation op{Opcode::reduce,
                     {any(type, shape)},
                     {{is_float(type) ? type : DType::i64, out}},
                     {{"kind", kind}, {"axes", axes}}};
        expect_fast_is_exact(op, std::max(tolerance(type), is_float(type) ? 1e-5 : 0),
                             fmt::format("reduce {} of {} {} axes {}", kind, name_of(type), text_of(shape), axes));
      }
}

TEST(Reduce, LargestAndSmallestKeepNan) {
  for (const int64_t kind : {2, 3}) {
    std::vector<float> values(100, 1.0f);
    values[77] = NAN;
    Operation op{
        Opcode::reduce, {Tensor::of(DType::f32, {100}, values)}, {{DType::f32, {1}}}, {{"kind", kind}, {"axes", 1}}};
    EXPECT_TRUE(std::isnan(number_at(run_operation(op, false, nothing)[0], 0)));
    EXPECT_TRUE(std::isnan(number_at(run_operation(op, true, nothing)[0], 0)));
  }
}

TEST(ArgReduce, FastIsExactForAllTypes) {
  for (const DType type : every_type)
    for (const int64_t kind : {0, 1})
      for (const int64_t last : {0, 1})
        for (const int64_t axis : {0, 1, 2}) {
          Shape out{5, 40, 3};
          out[static_cast<size_t>(axis)] = 1;
          Operation op{Opcode::arg_reduce,
                       {any(type, {5, 40, 3})},
                       {{DType::i64, out}},
                       {{"kind", kind}, {"axis", axis}, {"last", last}}};
          expect_fast_is_exact(op, 0, "arg_reduce");
        }
}

TEST(Softmax, FastIsExactForAllFloats) {
  for (const DType type : float_types)
    for (const int64_t log : {0, 1})
      for (const Shape& shape : {Shape{4, 33}, Shape{2, 3, 5, 128}, Shape{7}}) {
        Operation op{Opcode::softmax, {any(type, shape)}, {{type, shape}}, {{"log", log}}};
        expect_fast_is_exact(op, tolerance(type), fmt::format("softmax {}", name_of(type)));
      }
}

TEST(Norm, FastIsExactForAllFloats) {
  for (const DType type : float_types)
    for (const int64_t kind : {0, 1})
      for (const int64_t dims : {1, 2})
        for (const int given : {0, 1, 2}) {
          const Shape vector = dims == 1 ? Shape{67} : Shape{5, 67};
          Operation op{Opcode::norm,
                       {any(type, {3, 5, 67}), given > 0 ? any(DType::f32, vector) : absent(),
                        given > 1 ? any(type, vector) : absent()},
                       {{type, {3, 5, 67}}},
                       {{"kind", kind}, {"dims", dims}, {"epsilon", real(1e-5f)}}};
          expect_fast_is_exact(op, tolerance(type), fmt::format("norm {}", name_of(type)));
        }
}

TEST(Pool, FastIsExactForAllKindsAndTypes) {
  for (const DType type : every_type)
    for (int64_t kind = 0; kind < 3; ++kind)
      for (const int64_t count_pad : {0, 1}) {
        Operation op{Opcode::pool,
                     {any(type, {2, 1, 9, 8, 19})},
                     {{type, {2, 1, 5, 4, 19}}},
                     {{"kind", kind},
                      {"kernel_h", 3},
                      {"kernel_w", 3},
                      {"stride_h", 2},
                      {"stride_w", 2},
                      {"pad_top", 1},
                      {"pad_left", 1},
                      {"pad_bottom", 1},
                      {"pad_right", 0},
                      {"count_pad", count_pad}}};
        expect_fast_is_exact(op, tolerance(type), fmt::format("pool {} {}", kind, name_of(type)));
      }
  Operation deep{Opcode::pool,
                 {any(DType::f32, {1, 5, 6, 7, 3})},
                 {{DType::f32, {1, 4, 2, 3, 3}}},
                 {{"kind", 1}, {"kernel_d", 2}, {"kernel_h", 3}, {"kernel_w", 2}, {"dilation_h", 2}, {"stride_w", 2}}};
  expect_fast_is_exact(deep, 3e-6, "deep");
}

TEST(Resample, FastIsExactAlongEveryAxis) {
  for (const DType type : {DType::f32, DType::bf16, DType::u8, DType::i32, DType::i64})
    for (const int64_t axis : {0, 1, 2})
      for (const uint32_t taps : {1u, 3u}) {
        Shape out{5, 6, 9};
        out[static_cast<size_t>(axis)] = 4;
        Operation op{Opcode::resample, {any(type, {5, 6, 9})}, {{type, out}}, {{"axis", axis}, {"start", 2}}};
        expect_fast_is_exact(op, tolerance(type), fmt::format("resample {} axis {}", name_of(type), axis),
                             [&](ProgramBuilder& b) {
                               isa::ResampleTable table{"table", taps, {}, {}};
                               for (uint32_t i = 0; i < 6 * taps; ++i) {
                                 table.indices.push_back(static_cast<int32_t>(i * 7 % 5));
                                 table.weights.push_back(taps == 1 ? 1 : 0.25f * static_cast<float>(i % 3 + 1));
                               }
                               b.program.tables.push_back(table);
                               return ProgramBuilder::Fields{};
                             });
      }
}

TEST(Transpose, FastIsExactForAllOrders) {
  const Shape shape{3, 17, 2, 21};
  std::array<size_t, 4> order{0, 1, 2, 3};
  do {
    for (const auto& [from, to] : {std::pair{DType::f32, DType::f32},
                                   {DType::i8, DType::i8},
                                   {DType::bf16, DType::bf16},
                                   {DType::i64, DType::i64},
                                   {DType::f32, DType::f16}}) {
      Shape out;
      ProgramBuilder::Fields fields;
      for (size_t i = 0; i < 4; ++i) {
        out.push_back(shape[order[i]]);
        fields.emplace_back(std::array<const char*, 4>{"order_0", "order_1", "order_2", "order_3"}[i], order[i]);
      }
      expect_fast_is_exact({Opcode::transpose, {any(from, shape)}, {{to, out}}, fields}, 0, "transpose");
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(TopK, GivesTheFirstAmongEquals) {
  Operation op{Opcode::topk,
               {floats({1, 5, 3, 5, NAN, 0})},
               {{DType::f32, {3}}, {DType::i64, {3}}},
               {{"largest", 1}, {"sorted", 1}}};
  const auto got = run_operation(op, false, nothing);
  EXPECT_TRUE(std::isnan(number_at(got[0], 0)));
  EXPECT_EQ(integer_at(got[1], 0), 4);
  EXPECT_EQ(integer_at(got[1], 1), 1);
  EXPECT_EQ(integer_at(got[1], 2), 3);
  op.fields[0].second = 0;
  const auto smallest = run_operation(op, false, nothing);
  EXPECT_EQ(integer_at(smallest[1], 0), 5);
  EXPECT_EQ(integer_at(smallest[1], 1), 0);
}

TEST(Scan, RunsEitherWay) {
  for (const auto& [exclusive, reverse, want] :
       {std::tuple{0, 0, std::vector<float>{1, 3, 6}}, {1, 0, {0, 1, 3}}, {0, 1, {6, 5, 3}}, {1, 1, {5, 3, 0}}}) {
    Operation op{
        Opcode::scan, {floats({1, 2, 3})}, {{DType::f32, {3}}}, {{"exclusive", exclusive}, {"reverse", reverse}}};
    expect_close(run_operation(op, false, nothing)[0], floats(want), 0, "scan");
  }
}

TEST(Sort, SortsEitherWayAndPutsNaNAboveAll) {
  for (const auto& [descending, want] : {std::pair{0, std::vector<float>{-INFINITY, -2, 1, 1, 5, 7, INFINITY, NAN}},
                                         {1, {NAN, INFINITY, 7, 5, 1, 1, -2, -INFINITY}}}) {
    Operation op{Opcode::sort,
                 {floats({5, NAN, 1, -2, INFINITY, 7, -INFINITY, 1})},
                 {{DType::f32, {8}}},
                 {{"descending", descending}}};
    expect_close(run_operation(op, false, nothing)[0], floats(want), 0, "sort");
  }
}

TEST(Sort, MergesRunsThatAscendAndDescendInTurns) {
  Operation op{Opcode::sort, {floats({1, 4, 6, 9, 8, 5, 3, 2})}, {{DType::f32, {8}}}, {{"run", 4}}};
  expect_close(run_operation(op, false, nothing)[0], floats({1, 2, 3, 4, 5, 6, 8, 9}), 0, "merge");
  op.inputs = {floats({4, 3, 2, 1, 5, 6, 7, 8})};  // As bitonic, the other way round.
  expect_close(run_operation(op, false, nothing)[0], floats({1, 2, 3, 4, 5, 6, 7, 8}), 0, "merge");
  op.inputs = {floats({2, 9, 1, 7, 3, 8, 4, 6})};  // Neither: one merge does not sort it.
  expect_close(run_operation(op, false, nothing)[0], floats({1, 6, 2, 8, 3, 7, 4, 9}), 0, "merge");
}

TEST(Sort, FastIsExactToTheBitForAllTypesAxesAndRuns) {
  const Shape shape{8, 16, 32};
  std::vector<float> few(4096);  // What compares equal, or not at all.
  for (float& x : few) x = std::array{0.0f, -0.0f, NAN, -INFINITY, 1.5f, -2.0f}[generator()() % 6];
  std::vector<Tensor> inputs{Tensor::of(DType::f32, shape, few)};
  for (const DType type : every_type) inputs.push_back(any(type, shape));
  for (const Tensor& in : inputs)
    for (const int axis : {0, 1, 2})
      for (const int run : {1, 2, 4})
        for (const int descending : {0, 1}) {
          const Operation op{
              Opcode::sort, {in}, {{in.dtype, shape}}, {{"axis", axis}, {"run", run}, {"descending", descending}}};
          const Tensor fast = run_operation(op, false, nothing)[0], exact = run_operation(op, true, nothing)[0];
          EXPECT_TRUE(std::ranges::equal(fast.bytes.view, exact.bytes.view))
              << name_of(in.dtype) << " axis " << axis << " run " << run << " descending " << descending;
        }
}

TEST(SortPairs, CarriesWhereElementsWereAndOrdersEqualOnesByIt) {
  const Tensor in = floats({5, NAN, 1, -INFINITY, 1, NAN, -0.0f, 0});
  struct Case {
    int64_t descending, lower_above;
    std::vector<int32_t> want;
  };
  for (const Case& at : {Case{0, 0, {3, 6, 7, 2, 4, 0, 1, 5}},
                         {0, 1, {3, 7, 6, 4, 2, 0, 5, 1}},
                         {1, 0, {5, 1, 0, 4, 2, 7, 6, 3}},
                         {1, 1, {1, 5, 0, 2, 4, 6, 7, 3}}}) {
    const Operation op{Opcode::sort_pairs,
                       {in},
                       {{DType::f32, {8}}, {DType::i32, {8}}},
                       {{"descending", at.descending}, {"lower_above", at.lower_above}}};
    const auto got = run_operation(op, false, nothing);
    for (size_t i = 0; i < at.want.size(); ++i) {
      EXPECT_EQ(integer_at(got[1], static_cast<int64_t>(i)), at.want[i]) << i << " of " << at.descending;
      const double value = number_at(got[0], static_cast<int64_t>(i)), was = number_at(in, at.want[i]);
      EXPECT_TRUE(value == was || (std::isnan(value) && std::isnan(was)));
    }
  }
}

TEST(SortPairs, MergesRunsWithTheNumbersThatItIsGiven) {
  const Operation op{
      Opcode::sort_pairs,
      {floats({1, 2, 2, 7, 9, 3, 2, 1}), Tensor::of<int32_t>(DType::i32, {8}, {10, 3, 5, 0, 1, 2, 4, 20})},
      {{DType::f32, {8}}, {DType::i32, {8}}},
      {{"run", 4}}};
  const auto got = run_operation(op, false, nothing);
  expect_close(got[0], floats({1, 1, 2, 2, 2, 3, 7, 9}), 0, "merge");
  for (const auto& [i, want] : {std::pair{0, 10}, {1, 20}, {2, 3}, {3, 4}, {4, 5}, {5, 2}, {6, 0}, {7, 1}})
    EXPECT_EQ(integer_at(got[1], i), want);
}

TEST(SortPairs, FastIsExactToTheBitForAllTypesAxesAndRuns) {
  const Shape shape{8, 4, 16};
  std::vector<float> few(512);
  for (float& x : few) x = std::array{0.0f, -0.0f, NAN, -INFINITY, 1.5f, -2.0f}[generator()() % 6];
  std::vector<Tensor> inputs{Tensor::of(DType::f32, shape, few)};
  for (const DType type : every_type) inputs.push_back(any(type, shape));
  for (const Tensor& in : inputs)
    for (const DType numbers : {DType::i32, DType::i64})
      for (const bool given : {false, true})
        for (const int axis : {0, 1, 2})
          for (const int run : {1, 2})
            for (const int mode : {0, 1, 2, 3}) {
              Operation op{Opcode::sort_pairs,
                           {in},
                           {{in.dtype, shape}, {numbers, shape}},
                           {{"axis", axis}, {"run", run}, {"descending", mode % 2}, {"lower_above", mode / 2}}};
              if (given) op.inputs.push_back(any(numbers, shape));
              const auto fast = run_operation(op, false, nothing), exact = run_operation(op, true, nothing);
              for (const size_t result : {0, 1})
                EXPECT_TRUE(std::ranges::equal(fast[result].bytes.view, exact[result].bytes.view))
                    << name_of(in.dtype) << " axis " << axis << " run " << run << " mode " << mode;
            }
}

TEST(SelectAlong, LooksUpWithNegativeIndices) {
  const Tensor in = Tensor::of<float>(DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6}),
               index = Tensor::of<int64_t>(DType::i64, {2, 2}, {0, -1, 2, 1});
  Operation op{Opcode::select_along, {in, index}, {{DType::f32, {2, 2}}}, {{"axis", 1}}};
  expect_close(run_operation(op, false, nothing)[0], Tensor::of<float>(DType::f32, {2, 2}, {1, 3, 6, 5}), 0,
               "select_along");
}

}  // namespace
}  // namespace hadal::machine
