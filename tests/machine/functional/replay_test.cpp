// Runs of calls that were found before, against runs instruction by instruction.
#include "machine/functional/support.h"

namespace hadal::machine {
namespace {

using isa::Opcode;
using isa::Queue;

/// The outputs with every load copied, one instruction at a time.
std::vector<Tensor> interpreted(const isa::Program& program, const std::vector<Tensor>& inputs, int64_t cores = 1) {
  ValueOptions options;
  options.bind_loads = false;
  return run_program(program, inputs, options, nullptr, cores);
}

TEST(Replay, StridedActivationsAreMultipliedInPlace) {
  const Tensor x = random_tensor(DType::f32, {2, 40, 70}), y = random_tensor(DType::f32, {2, 70, 40});
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      ProgramBuilder b;
      const auto part = [&](const Tensor& t, const Shape& extents) {  // columns and rows in the middle
        const uint16_t tile = b.view(b.buffer(DType::f32, extents), extents);
        b.add(Opcode::load, {tile, b.view(b.input(DType::f32, t.shape), extents, {0, 3, 5})});
        return tile;
      };
      const uint16_t left = part(x, transpose_a ? Shape{2, 20, 30} : Shape{2, 30, 20}),
                     right = part(y, transpose_b ? Shape{2, 33, 20} : Shape{2, 20, 33});
      const uint16_t to = b.view(b.buffer(DType::f32, {2, 30, 33}), {2, 30, 33});
      b.add(Opcode::matmul, {to, left, right}, {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
      b.add(Opcode::store, {b.whole(b.output(DType::f32, {2, 30, 33})), to});
      const isa::Program program = b.finish();
      expect_close(run_program(program, {x, y}, {})[0], interpreted(program, {x, y})[0], 1e-5, "strided");
    }
}

TEST(Replay, TilesThatOverlapTheirSourceAreCopied) {
  const Tensor x = random_tensor(DType::f32, {6, 8});
  ProgramBuilder b;
  const uint16_t memory = b.scratch(DType::f32, {6, 8}), rows = b.view(b.buffer(DType::f32, {5, 8}), {5, 8});
  b.add(Opcode::store, {b.whole(memory), b.load(b.input(DType::f32, x.shape))});
  b.add(Opcode::load, {rows, b.view(memory, {5, 8})});
  b.add(Opcode::store, {b.view(memory, {5, 8}, {1, 0}), rows});
  b.add(Opcode::store, {b.whole(b.output(DType::f32, {6, 8})), b.load(memory)});
  const isa::Program program = b.finish();
  const Tensor got = run_program(program, {x}, {})[0];
  expect_close(got, interpreted(program, {x})[0], 0, "overlap");
  EXPECT_EQ(number_at(got, 5 * 8), number_at(x, 4 * 8));
}

TEST(Replay, TilesAreStoredWhateverElseBecomesOfThem) {
  enum class Use { store, store_twice, store_then_map, store_part, update };
  const Tensor x = random_tensor(DType::f32, {6, 8});
  for (const Use use : {Use::store, Use::store_twice, Use::store_then_map, Use::store_part, Use::update}) {
    ProgramBuilder b;
    const int64_t twice = b.chain(DType::f32, 1, {{"add", {0, 0}}});
    const Shape shape{6, 8};
    const uint16_t memory = b.scratch(DType::f32, shape), result = b.view(b.buffer(DType::f32, shape), shape);
    const uint16_t in = b.load(b.input(DType::f32, shape));
    b.add(Opcode::map, {result, in}, {{"chain", twice}});
    if (use != Use::store_part) b.add(Opcode::store, {b.whole(memory), result});
    if (use == Use::store_part) {
      const uint16_t half = b.view(b.program.views[result].tensor, {3, 8});
      b.add(Opcode::store, {b.view(memory, {3, 8}), half});
      b.add(Opcode::store, {b.view(memory, {3, 8}, {3, 0}), half});
    }
    if (use == Use::store_twice) b.add(Opcode::store, {b.whole(b.output(DType::f32, shape)), result});
    if (use == Use::store_then_map) b.add(Opcode::map, {result, result}, {{"chain", twice}});
    if (use == Use::update) {
      const uint16_t old = b.load(memory);
      b.add(Opcode::map, {result, old}, {{"chain", twice}});
      b.add(Opcode::store, {b.whole(memory), result});
      b.add(Opcode::map, {result, old}, {{"chain", twice}});
    }
    b.add(Opcode::store, {b.whole(b.output(DType::f32, shape)), result});
    b.add(Opcode::store, {b.whole(b.output(DType::f32, shape)), b.load(memory)});
    const isa::Program program = b.finish();
    const auto got = run_program(program, {x}, {}), want = interpreted(program, {x});
    for (size_t i = 0; i < want.size(); ++i)
      expect_close(got[i], want[i], 0, fmt::format("use {}, output {}", static_cast<int>(use), i));
  }
}

/// Core c looks up row index[c] of a table, and stores it.
isa::Program lookups(int64_t cores, const Tensor& table) {
  ProgramBuilder b;
  b.program.parameters.push_back({"core_id", 0, 0, cores - 1});
  b.program.limits.cores = static_cast<uint32_t>(cores);
  const auto mine = [&](uint16_t tensor, const Shape& extents) {
    const uint16_t v = b.view(tensor, extents);
    b.program.views[v].origins[0].register_a = 0;
    b.program.views[v].origins[0].scale_a = 1;
    return v;
  };
  const uint16_t index = b.view(b.buffer(DType::i32, {1}), {1}), row = b.view(b.buffer(DType::f32, {1, 6}), {1, 6});
  b.add(Opcode::load, {index, mine(b.input(DType::i32, {cores}), {1})});
  b.add(Opcode::gather, {row, b.whole(b.weight(table)), index});
  b.add(Opcode::store, {mine(b.output(DType::f32, {cores, 6}), {1, 6}), row});
  return b.finish();
}

TEST(Replay, RunsAgainAfterAnError) {
  const Tensor table = random_tensor(DType::f32, {5, 6});
  const isa::Program program = lookups(4, table);
  const Tensor good = Tensor::of<int32_t>(DType::i32, {4}, {3, 1, 4, 0}),
               bad = Tensor::of<int32_t>(DType::i32, {4}, {3, 1, 9, 7});
  ValueOptions options;
  options.threads = 3;
  auto machine = ValueMachine::make(program, 4, options);
  ASSERT_TRUE(machine.ok());
  ValueCounts counts;
  for (int i = 0; i < 5; ++i) {
    const auto failed = (*machine)->run({bad}, counts);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, "gather.C2");
    const auto got = (*machine)->run({good}, counts);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(number_at((*got)[0], 2 * 6 + 5), number_at(table, 4 * 6 + 5));
  }
}

TEST(Replay, ProgramsTooLongForOneAreInterpreted) {
  constexpr int64_t trips = 200000;
  ProgramBuilder b;
  const uint16_t tile = b.load(b.input(DType::f32, {1}));
  const int64_t next = b.chain(DType::f32, 1, {{"constant", {}, 1.0f}, {"add", {0, 8}}});
  b.add(Opcode::loop, {}, {{"index", 3}, {"count", trips}, {"max", trips}});
  b.add(Opcode::map, {tile, tile}, {{"chain", next}});
  b.add(Opcode::end);
  b.add(Opcode::store, {b.whole(b.output(DType::f32, {1})), tile});
  ValueCounts counts;
  const auto got = run_program(b.finish(), {Tensor::of<float>(DType::f32, {1}, {5})}, {}, &counts);
  EXPECT_EQ(number_at(got[0], 0), trips + 5);
  EXPECT_EQ(counts.executed[Opcode::map], static_cast<uint64_t>(trips));
}

}  // namespace
}  // namespace hadal::machine
