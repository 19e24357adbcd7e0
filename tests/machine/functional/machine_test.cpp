#include "machine/functional/support.h"

namespace hadal::machine {
namespace {

using isa::Opcode;
using isa::Queue;

TEST(Load, ConvertsPermutesAndFills) {
  const std::vector<DType> types{DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                                 DType::u8,  DType::i16, DType::i32, DType::i64,  DType::boolean};
  for (const DType from : types)
    for (const DType to : types) {
      const Tensor x = random_tensor(from, {3, 20, 30}, from == DType::boolean || from == DType::u8 ? 0 : -100,
                                     from == DType::boolean ? 1 : 100);
      std::vector<Tensor> results;
      for (const bool exact : {true, false}) {
        ProgramBuilder b;
        const uint16_t in = b.input(from, x.shape);
        isa::TensorDescriptor permuted = b.program.tensors[in];  // [20, 30, 3], by strides
        std::rotate(permuted.extents.begin(), permuted.extents.begin() + 1, permuted.extents.begin() + 3);
        std::rotate(permuted.strides.begin(), permuted.strides.begin() + 1, permuted.strides.begin() + 3);
        b.program.tensors.push_back(permuted);
        const auto source = static_cast<uint16_t>(b.program.tensors.size() - 1);
        const uint16_t tile = b.view(b.buffer(to, {24, 33, 3}), {24, 33, 3});
        b.add(Opcode::load, {tile, b.view(source, {24, 33, 3}, {-2, -1, 0})}, {{"fill", 1}, {"value", real(-1.5f)}});
        b.add(Opcode::store, {b.whole(b.output(to, {24, 33, 3})), tile});
        ValueOptions options;
        options.exact = exact;
        results.push_back(run_program(b.finish(), {x}, options)[0]);
      }
      expect_close(results[1], results[0], 0, fmt::format("{} to {}", name_of(from), name_of(to)));
      const Tensor& got = results[1];
      std::byte element[8];
      store_number(to, element, -1.5);
      EXPECT_EQ(number_at(got, 0), load_number(to, element));
      store_number(to, element, number_at(x, 600 + 4 * 30 + 7));
      EXPECT_EQ(number_at(got, ((4 + 2) * 33 + 7 + 1) * 3 + 1), load_number(to, element));
    }
}

TEST(Load, OutsideWithoutFillIsAnError) {
  ProgramBuilder b;
  const uint16_t in = b.input(DType::f32, {4}), tile = b.view(b.buffer(DType::f32, {4}), {4});
  b.add(Opcode::load, {tile, b.view(in, {4}, {1})});
  EXPECT_EQ(error_code(b.finish(), {random_tensor(DType::f32, {4})}), "view.C1");
}

TEST(Load, BoundTilesKeepTheirValuesWhenPartlyOverwritten) {
  const Tensor x = random_tensor(DType::f32, {8, 8}), y = random_tensor(DType::f32, {2, 8});
  for (const bool bind : {true, false}) {
    ProgramBuilder b;
    const uint16_t buffer = b.buffer(DType::f32, {8, 8});
    const uint16_t tile = b.view(buffer, {8, 8});
    b.add(Opcode::load, {tile, b.whole(b.input(DType::f32, x.shape))});
    isa::TensorDescriptor middle = b.program.tensors[buffer];
    middle.offset += 3 * 32;
    middle.bytes = 2 * 32;
    b.program.tensors.push_back(middle);
    b.add(Opcode::load,
          {b.view(static_cast<uint16_t>(b.program.tensors.size() - 1), {2, 8}), b.whole(b.input(DType::f32, y.shape))});
    b.add(Opcode::store, {b.whole(b.output(DType::f32, {8, 8})), tile});
    ValueOptions options;
    options.bind_loads = bind;
    const auto got = run_program(b.finish(), {x, y}, options);
    for (int64_t i = 0; i < 64; ++i)
      EXPECT_EQ(number_at(got[0], i), i / 8 == 3 || i / 8 == 4 ? number_at(y, i - 24) : number_at(x, i));
  }
}

TEST(Load, BoundTilesOutliveStoresToTheirSource) {
  const Tensor x = random_tensor(DType::f32, {16}), y = random_tensor(DType::f32, {16});
  ProgramBuilder b;
  const uint16_t memory = b.scratch(DType::f32, {16});
  const uint16_t first = b.load(b.input(DType::f32, {16})), second = b.load(b.input(DType::f32, {16}));
  b.add(Opcode::store, {b.whole(memory), first});
  const uint16_t tile = b.load(memory);
  b.add(Opcode::store, {b.whole(memory), second});
  b.add(Opcode::store, {b.whole(b.output(DType::f32, {16})), tile});
  expect_close(run_program(b.finish(), {x, y}, {})[0], x, 0, "bound");
}

TEST(Store, ToWeightsOrInputsIsAnError) {
  ProgramBuilder b;
  const uint16_t in = b.input(DType::f32, {4});
  b.add(Opcode::store, {b.whole(in), b.load(in)});
  EXPECT_EQ(error_code(b.finish(), {random_tensor(DType::f32, {4})}), "region.C2");
}

TEST(Gather, LooksRowsUp) {
  const Tensor table = random_tensor(DType::f32, {5, 6}), index = Tensor::of<int32_t>(DType::i32, {3}, {4, -5, 9});
  for (const int64_t bounds : {0, 1}) {
    ProgramBuilder b;
    const uint16_t rows = b.load(b.input(DType::i32, {3})), tile = b.view(b.buffer(DType::f32, {3, 4}), {3, 4});
    b.add(Opcode::gather, {tile, b.view(b.weight(table), {5, 4}, {0, 1}), rows}, {{"bounds", bounds}});
    b.add(Opcode::store, {b.whole(b.output(DType::f32, {3, 4})), tile});
    const isa::Program program = b.finish();
    if (bounds == 0) {
      EXPECT_EQ(error_code(program, {index}), "gather.C2");
      continue;
    }
    const auto got = run_program(program, {index}, {});
    EXPECT_EQ(number_at(got[0], 2), number_at(table, 4 * 6 + 3));
    EXPECT_EQ(number_at(got[0], 4), number_at(table, 1));
    EXPECT_EQ(number_at(got[0], 8), number_at(table, 4 * 6 + 1));
  }
}

/// One scatter into a copy of `x`.
isa::Program scattering(const Tensor& x, const Shape& updates, const Shape& index, int64_t axis, int64_t combine) {
  ProgramBuilder b;
  const uint16_t old = b.load(b.input(x.dtype, x.shape)), values = b.load(b.input(x.dtype, updates)),
                 indices = b.load(b.input(DType::i64, index));
  const uint16_t out = b.whole(b.output(x.dtype, x.shape));
  b.add(Opcode::store, {out, old});
  b.add(Opcode::scatter, {out, values, indices}, {{"axis", axis}, {"combine", combine}});
  return b.finish();
}

TEST(Scatter, WritesInOrderWhereTheIndexSays) {
  const Tensor x = Tensor::of<float>(DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6}),
               updates = Tensor::of<float>(DType::f32, {2, 2}, {10, 20, 30, 40}),
               index = Tensor::of<int64_t>(DType::i64, {2, 2}, {2, 2, 0, -1});
  const std::vector<std::vector<float>> want{{1, 2, 20, 30, 5, 40},     // set: the last stays
                                             {1, 2, 33, 34, 5, 46},     // add
                                             {1, 2, 600, 120, 5, 240},  // mul
                                             {1, 2, 3, 4, 5, 6},        // min
                                             {1, 2, 20, 30, 5, 40}};    // max
  for (int64_t combine = 0; combine < std::ssize(want); ++combine)
    for (const bool exact : {false, true}) {
      const auto got = run_program(scattering(x, {2, 2}, {2, 2}, 1, combine), {x, updates, index}, {.exact = exact});
      for (int64_t i = 0; i < 6; ++i)
        EXPECT_EQ(number_at(got[0], i), static_cast<double>(want[static_cast<size_t>(combine)][static_cast<size_t>(i)]))
            << combine << " " << i;
    }
}

TEST(Scatter, OneIndexServesARow) {
  const Tensor x = random_tensor(DType::i16, {4, 3}), updates = random_tensor(DType::i16, {2, 3}),
               index = Tensor::of<int64_t>(DType::i64, {2, 1}, {3, 1});
  const auto got = run_program(scattering(x, {2, 3}, {2, 1}, 0, 0), {x, updates, index}, {});
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(integer_at(got[0], i), integer_at(x, i));
    EXPECT_EQ(integer_at(got[0], 3 + i), integer_at(updates, 3 + i));
    EXPECT_EQ(integer_at(got[0], 9 + i), integer_at(updates, i));
  }
}

TEST(Scatter, AnIndexOutsideIsAnError) {
  const Tensor x = random_tensor(DType::f32, {4}), updates = random_tensor(DType::f32, {1});
  for (const int64_t at : {4, -5})
    EXPECT_EQ(error_code(scattering(x, {1}, {1}, 0, 0), {x, updates, Tensor::of<int64_t>(DType::i64, {1}, {at})}),
              "scatter.C2");
}

TEST(HostCall, NonMaxSuppressionKeepsTheBestOfOverlapping) {
  const Tensor boxes =
      Tensor::of<float>(DType::f32, {1, 4, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 5, 1, 6, 0, 5.05f, 1, 6.05f});
  const Tensor scores = Tensor::of<float>(DType::f32, {1, 1, 4}, {0.8f, 0.9f, 0.3f, 0.1f}),
               limits = Tensor::of<float>(DType::f32, {3}, {10, 0.5f, 0.2f});
  ProgramBuilder b;
  b.program.functions.push_back("non_max_suppression");
  const uint16_t p = b.whole(b.input(DType::f32, boxes.shape)), q = b.whole(b.input(DType::f32, scores.shape)),
                 r = b.whole(b.input(DType::f32, limits.shape));
  b.add(Opcode::host_call, {b.whole(b.output(DType::i64, {4, 3})), b.whole(b.output(DType::i64, {1})), p, q, r},
        {{"function", 0}});
  const auto got = run_program(b.finish(), {boxes, scores, limits}, {});
  const std::vector<int64_t> want{0, 0, 1, 0, 0, 2, -1, -1, -1, -1, -1, -1};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(integer_at(got[0], static_cast<int64_t>(i)), want[i]);
  EXPECT_EQ(integer_at(got[1], 0), 2);
}

TEST(HostCall, OutputsHoldWhatCounts) {
  const Tensor boxes = Tensor::of<float>(DType::f32, {1, 3, 4}, {0, 0, 1, 1, 0, 0, 1, 1, 0, 5, 1, 6}),
               scores = Tensor::of<float>(DType::f32, {1, 1, 3}, {0.8f, 0.9f, 0.3f}),
               limits = Tensor::of<float>(DType::f32, {2}, {10, 0.5f});
  ProgramBuilder b;
  b.program.functions.push_back("non_max_suppression");
  const uint16_t p = b.whole(b.input(DType::f32, boxes.shape)), q = b.whole(b.input(DType::f32, scores.shape)),
                 r = b.whole(b.input(DType::f32, limits.shape));
  const uint16_t out = b.whole(b.output(DType::i64, {3, 3})), count = b.whole(b.output(DType::i64, {1}));
  const uint16_t region = b.program.outputs.back().region;
  b.program.outputs.pop_back();
  b.program.outputs[0].count = isa::Count{0, region};
  b.add(Opcode::host_call, {out, count, p, q, r}, {{"function", 0}});
  const auto got = run_program(b.finish(), {boxes, scores, limits}, {});
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].shape, (Shape{2, 3}));
  EXPECT_EQ(integer_at(got[0], 5), 2);
}

/// Every core adds its number to its row of shared memory, all meet, and each copies the row of the next core.
isa::Program ring_of_cores(int64_t cores, int rounds) {
  ProgramBuilder b;
  b.program.parameters = {{"core_id", 0, 0, cores - 1}, {"core_count", 1, cores, cores}};
  b.program.limits.cores = static_cast<uint32_t>(cores);
  const uint8_t met = b.semaphore(0, Queue::load);
  const uint16_t in = b.input(DType::f32, {cores, 64}), out = b.output(DType::f32, {cores, 64}),
                 memory = b.scratch(DType::f32, {cores, 64});
  const uint16_t tile = b.buffer(DType::f32, {1, 64}), result = b.buffer(DType::f32, {1, 64});
  const auto row = [&](uint16_t tensor, uint8_t by) {
    const uint16_t v = b.view(tensor, {1, 64});
    b.program.views[v].origins[0].register_a = by;
    b.program.views[v].origins[0].scale_a = 1;
    return v;
  };
  const auto let = [&](int64_t target, int64_t op, isa::Field a, isa::Field second) {
    b.add(Opcode::let, {}, {{"target", target}, {"op", op}});
    b.program.code.back().fields[2] = a;
    b.program.code.back().fields[3] = second;
  };
  let(2, 0, {0, true}, {1, false});
  let(2, 4, {2, true}, {1, true});
  b.add(Opcode::load, {b.view(tile, {1, 64}), row(in, 0)});
  const int64_t half = b.chain(DType::f32, 1, {{"constant", {}, 0.5f}, {"mul", {0, 8}}});
  b.add(Opcode::loop, {}, {{"index", 3}, {"count", rounds}, {"max", rounds}});
  b.add(Opcode::map, {b.view(result, {1, 64}), b.view(tile, {1, 64})}, {{"chain", half}});
  b.add(Opcode::store, {row(memory, 0), b.view(result, {1, 64})}).signals[0] = {met, 1, true};
  auto& meet = b.add(Opcode::sync);
  meet.waits[0] = {met, static_cast<uint8_t>(cores), false};
  meet.queue = Queue::load;
  b.add(Opcode::load, {b.view(tile, {1, 64}), row(memory, 2)});
  auto& read = b.add(Opcode::sync);
  read.signals[0] = {met, 1, true};
  auto& all_read = b.add(Opcode::sync);
  all_read.waits[0] = {met, static_cast<uint8_t>(cores), false};
  b.add(Opcode::end);
  b.add(Opcode::store, {row(out, 0), b.view(tile, {1, 64})});
  return b.finish();
}

TEST(Cores, ValuesDoNotDependOnThreads) {
  const isa::Program program = ring_of_cores(5, 50);
  const Tensor x = random_tensor(DType::f32, {5, 64});
  std::vector<Tensor> results;
  for (const auto& [threads, bind] : {std::pair{1, true}, {1, false}, {2, true}, {5, true}}) {
    ValueOptions options;
    options.threads = threads;
    options.bind_loads = bind;  // each round overwrites what tiles were loaded from
    ValueCounts counts;
    results.push_back(run_program(program, {x}, options, &counts, 5)[0]);
    expect_close(results.back(), results.front(), 0, "threads");
    EXPECT_EQ(counts.executed[Opcode::map], 250u);
    EXPECT_EQ(counts.executed[Opcode::halt], 5u);
  }
  EXPECT_EQ(number_at(results[0], 3 * 64), number_at(x, 3 * 64) * std::pow(0.5, 50));
}

TEST(Cores, OneMachineRunsManyTimes) {
  const isa::Program program = ring_of_cores(3, 4);
  ValueOptions options;
  options.threads = 2;
  auto machine = ValueMachine::make(program, 3, options);
  ASSERT_TRUE(machine.ok());
  for (int i = 0; i < 20; ++i) {
    const Tensor x = random_tensor(DType::f32, {3, 64});
    ValueCounts counts;
    auto got = (*machine)->run({x}, counts);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(number_at((*got)[0], 5), number_at(x, 64 + 5) / 16);
  }
}

TEST(Sync, WaitThatIsNeverMetIsAnError) {
  for (const int threads : {1, 2}) {
    ProgramBuilder b;
    const uint8_t s = b.semaphore(0, Queue::load);
    b.add(Opcode::sync).waits[0] = {s, 1, false};
    ValueOptions options;
    options.threads = threads;
    const isa::Program program = b.finish();
    EXPECT_EQ(error_code(program, {}, options, 2), "sync.C1");
  }
}

TEST(Sync, CountsEndAsTheyBegan) {
  ProgramBuilder b;
  const uint8_t s = b.semaphore(0, Queue::load);
  b.add(Opcode::sync).signals[0] = {s, 1, false};
  EXPECT_EQ(error_code(b.finish(), {}), "sync.C4");
}

TEST(Predicate, DropsWorkButNotSignals) {
  ProgramBuilder b;
  const uint8_t s = b.semaphore(0, Queue::load);
  const uint16_t in = b.input(DType::f32, {4}), out = b.output(DType::f32, {4});
  const uint16_t tile = b.load(in);
  auto& dropped = b.add(Opcode::store, {b.whole(out), tile});
  dropped.predicate = 9;
  dropped.signals[0] = {s, 1, false};
  b.add(Opcode::sync).waits[0] = {s, 1, false};
  const auto got = run_program(b.finish(), {random_tensor(DType::f32, {4})}, {});
  EXPECT_EQ(number_at(got[0], 0), 0);
}

TEST(Budget, EndlessProgramsStop) {
  ProgramBuilder b;
  b.add(Opcode::loop, {}, {{"index", 3}, {"count", 1 << 30}, {"max", 1 << 30}});
  b.add(Opcode::sync);
  b.add(Opcode::end);
  ValueOptions options;
  options.instruction_budget = 100000;
  EXPECT_EQ(error_code(b.finish(), {}, options), "run.budget");
}

TEST(Run, InputsMustBeThePrograms) {
  ProgramBuilder b;
  b.load(b.input(DType::f32, {4}));
  const isa::Program program = b.finish();
  EXPECT_EQ(error_code(program, {}), "run.input");
  EXPECT_EQ(error_code(program, {random_tensor(DType::f32, {5})}), "run.input");
  EXPECT_EQ(error_code(program, {random_tensor(DType::i32, {4})}), "run.input");
}

}  // namespace
}  // namespace hadal::machine
