// The checking machine on programs made by hand: what it finds, and that it finds nothing else.
#include <gtest/gtest.h>

#include "isa/canonical.h"
#include "isa/verify.h"
#include "machine/check/run.h"
#include "machine/program_builder.h"

namespace hadal::machine {
namespace {

using isa::Opcode;
using isa::Queue;
using isa::Sync;

/// "race.R1 2 1": the rule and the instructions of each finding.
std::string found(isa::Program program, CheckOptions options = {}) {
  program.limits.memory_bytes = 1 << 20;
  isa::canonicalise(program);
  const Status legal = isa::verify_static(program);
  EXPECT_TRUE(legal.ok()) << legal.error().text();
  const auto checked = check_program(program, program.limits.cores, options);
  if (!checked) return checked.error().code;
  std::string text;
  for (const Finding& finding : checked->findings) {
    text += (text.empty() ? "" : "; ") + finding.rule;
    for (const Site& site : finding.sites) text += fmt::format(" {}", site.instruction);
  }
  return text;
}

const Shape shape{4, 8};

/// y = x through a buffer, `rows` at a time, with what orders the queues left to the test.
struct Copy {
  explicit Copy(uint64_t slots = 1) {
    x = b.input(DType::f32, shape);
    y = b.output(DType::f32, shape);
    buffer = b.buffer(DType::f32, shape, slots);
  }
  isa::Instruction& load() { return b.add(Opcode::load, {b.view(buffer, shape), b.whole(x)}); }
  isa::Instruction& store() { return b.add(Opcode::store, {b.whole(y), b.view(buffer, shape)}); }

  ProgramBuilder b;
  uint16_t x, y, buffer;
};

TEST(Check, AStoreThatDoesNotWaitForItsLoadRaces) {
  Copy copy;
  copy.load();
  copy.store();
  EXPECT_EQ(found(copy.b.finish()), "race.R1 1 0");
}

TEST(Check, ASignalOrders) {
  Copy copy;
  const uint8_t full = copy.b.semaphore(0, Queue::store);
  copy.load().signals[0] = {full, 1};
  copy.store().waits[0] = {full, 1};
  EXPECT_EQ(found(copy.b.finish()), "");
}

TEST(Check, AFindingNamesInstructionsAndBytes) {
  Copy copy;
  copy.load();
  copy.store();
  copy.b.program.layers[0] = {"copy", "Identity", {"Identity_0"}, 0, 0, DType::f32};
  isa::Program program = copy.b.finish();
  program.lines = {"copy.hasm:11", "copy.hasm:12", "copy.hasm:13"};
  const auto checked = check_program(program, 1);
  ASSERT_TRUE(checked.ok() && checked->findings.size() == 1);
  const Error error = error_of(program, checked->findings[0]);
  EXPECT_EQ(
      error.message,
      "`store` reads bytes 0 to 127 of the scratchpad of core 0 (buffer2), which `load` writes; nothing orders them");
  EXPECT_EQ(error.place,
            "core 0, instruction 1 of copy, copy.hasm:12, nodes Identity_0\n"
            "  core 0, instruction 0 of copy, copy.hasm:11, nodes Identity_0");
}

TEST(Check, ABufferIsFilledAgainOnlyWhenItWasEmptied) {
  for (const bool waits : {true, false}) {
    Copy copy;
    const uint8_t full = copy.b.semaphore(0, Queue::store), free = copy.b.semaphore(1, Queue::load);
    for (int i = 0; i < 2; ++i) {
      isa::Instruction& load = copy.load();
      if (waits) load.waits[0] = {free, 1};
      load.signals[0] = {full, 1};
      isa::Instruction& store = copy.store();
      store.waits[0] = {full, 1};
      if (waits) store.signals[0] = {free, 1};
    }
    EXPECT_EQ(found(copy.b.finish()), waits ? "" : "race.R3 2 1");
  }
}

/// Loads into `slots` slots in turn and stores them; `free` begins with one a slot, or with more.
isa::Program ring(int32_t free_at_first) {
  constexpr int32_t slots = 2;
  Copy copy(slots);
  const uint8_t full = copy.b.semaphore(0, Queue::store), free = copy.b.semaphore(free_at_first, Queue::load);
  const auto slot = [&] {
    const uint16_t view = copy.b.view(copy.buffer, shape);
    isa::View& v = copy.b.program.views[view];
    v.ring_register = 1;
    v.slots = slots;
    v.slot_bytes = 4 * 8 * 4;
    return view;
  };
  copy.b.add(Opcode::loop, {}, {{"index", 1}, {"count", 5}, {"max", 5}});
  isa::Instruction& load = copy.b.add(Opcode::load, {slot(), copy.b.whole(copy.x)});
  load.waits[0] = {free, 1};
  load.signals[0] = {full, 1};
  isa::Instruction& store = copy.b.add(Opcode::store, {copy.b.whole(copy.y), slot()});
  store.waits[0] = {full, 1};
  store.signals[0] = {free, 1};
  copy.b.add(Opcode::end);
  return copy.b.finish();
}

TEST(Check, ARingHasAsManySlotsAsItsSemaphoreSays) {
  EXPECT_EQ(found(ring(1)), "");
  EXPECT_EQ(found(ring(2)), "");
  EXPECT_EQ(found(ring(3)), "race.R3 1 2");
}

TEST(Check, WhatNothingHasWrittenIsNotRead) {
  Copy copy;
  copy.store();
  EXPECT_EQ(found(copy.b.finish()), "race.R2 0");
  ProgramBuilder b;
  const uint16_t x = b.load(b.input(DType::f32, shape));
  const uint8_t full = b.semaphore(0, Queue::store);
  b.program.code.back().signals[0] = {full, 1};
  b.add(Opcode::store, {b.view(b.output(DType::f32, {5, 8}), shape), x}).waits[0] = {full, 1};
  EXPECT_EQ(found(b.finish()), "race.R2");  // the output's last row
}

TEST(Check, SumsThatStayAreNotWritten) {
  for (const Opcode op : {Opcode::matmul, Opcode::matmul_scaled})
    for (const int64_t emit : {0, 1}) {
      ProgramBuilder b;
      b.program.limits.matrix_types = {DType::f32};
      const uint8_t loaded = b.semaphore(0, Queue::matrix), full = b.semaphore(0, Queue::store);
      const uint16_t x = b.load(b.input(DType::f32, {1, 8, 8})), scale = b.load(b.input(DType::f32, {1, 8, 1})),
                     columns = b.load(b.input(DType::f32, {1, 1, 1}));
      b.program.code.back().signals[0] = {loaded, 1};
      const uint16_t out = b.view(b.buffer(DType::f32, {1, 8, 8}), {1, 8, 8});
      std::vector<uint16_t> operands{out, x, x};
      if (op == Opcode::matmul_scaled)
        operands.insert(operands.end(), {isa::no_view, isa::no_view, isa::no_view, scale, columns});
      isa::Instruction& product = b.add(op, operands, {{"emit", emit}});
      product.waits[0] = {loaded, 1};
      product.signals[0] = {full, 1};
      b.add(Opcode::store, {b.whole(b.output(DType::f32, {1, 8, 8})), out}).waits[0] = {full, 1};
      EXPECT_EQ(found(b.finish()), emit == 0 ? "race.R2 4" : "") << isa::row_of(op)->name;
    }
}

TEST(Check, PartsOfATensorAreToldApart) {
  ProgramBuilder b;
  const uint16_t memory = b.scratch(DType::f32, shape), y = b.output(DType::f32, {4, 4});
  const uint8_t stored = b.semaphore(0, Queue::load), full = b.semaphore(0, Queue::store);
  const uint16_t left = b.view(b.buffer(DType::f32, {4, 4}), {4, 4}),
                 right = b.view(b.buffer(DType::f32, {4, 4}), {4, 4});
  const uint16_t x = b.input(DType::f32, {4, 4});
  b.add(Opcode::load, {left, b.whole(x)}).signals[0] = {full, 1};
  isa::Instruction& store = b.add(Opcode::store, {b.view(memory, {4, 4}, {0, 0}), left});
  store.waits[0] = {full, 1};
  store.signals[0] = {stored, 1};
  b.add(Opcode::store, {b.view(memory, {4, 4}, {0, 4}), left});  // the other columns: nobody waits for them
  isa::Instruction& load = b.add(Opcode::load, {right, b.view(memory, {4, 4}, {0, 0})});
  load.waits[0] = {stored, 1};
  load.signals[0] = {full, 1};
  b.add(Opcode::store, {b.whole(y), right}).waits[0] = {full, 1};
  isa::Program program = b.finish();
  EXPECT_EQ(found(program), "");
  program.views[program.code[3].operands[1]].origins[1].base = 4;
  EXPECT_EQ(found(program), "race.R1 3 2");
}

TEST(Check, ABoxOutOfBoundsIsFound) {
  Copy copy;
  copy.load();
  copy.b.program.views[copy.b.program.code[0].operands[1]].origins[0].base = 1;
  const auto checked = check_program(copy.b.finish(), 1);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->findings[0].rule, "view.C1");
}

TEST(Check, ADeadlockShowsItsCycle) {
  ProgramBuilder b;
  b.program.limits.cores = 2;
  b.program.parameters.push_back({"core_id", 0, 0, 1});
  const uint8_t a = b.semaphore(0, Queue::load), c = b.semaphore(0, Queue::store);
  b.add(Opcode::sync).queue = Queue::load;
  b.program.code.back().waits[0] = {a, 2};
  b.program.code.back().signals[0] = {c, 1, true};
  b.add(Opcode::sync).queue = Queue::store;
  b.program.code.back().waits[0] = {c, 2};
  b.program.code.back().signals[0] = {a, 1, true};
  const auto checked = check_program(b.finish(), 2);
  ASSERT_TRUE(checked.ok());
  ASSERT_EQ(checked->findings.size(), 1U);
  EXPECT_EQ(checked->findings[0].rule, "sync.C1");
  EXPECT_EQ(checked->findings[0].message,
            "deadlock: core 0 waits for 2 of semaphore semaphore0, whose count is 0, core 1 waits for 2 of semaphore "
            "semaphore0, whose count is 0; that would come from core 0");
}

TEST(Check, AWaitThatNobodyMeetsIsToldSo) {
  Copy copy;
  copy.load().waits[0] = {copy.b.semaphore(0, Queue::load), 1};
  const auto checked = check_program(copy.b.finish(), 1);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(
      checked->findings[0].message,
      "deadlock: core 0 waits for 1 of semaphore semaphore0, whose count is 0, and nothing that is left gives it");
}

TEST(Check, ACountThatCanRunAwayOverflows) {
  for (const int64_t trips : {100, 200}) {
    ProgramBuilder b;
    const uint8_t s = b.semaphore(0, Queue::store);
    b.add(Opcode::loop, {}, {{"index", 1}, {"count", trips}, {"max", trips}});
    b.add(Opcode::sync).queue = Queue::load;
    b.program.code.back().signals[0] = {s, 200};
    b.add(Opcode::sync).queue = Queue::store;  // in program order the count is never above 200
    b.program.code.back().waits[0] = {s, 200};
    b.add(Opcode::end);
    EXPECT_EQ(found(b.finish()), trips == 100 ? "" : "sync.R1 2");
  }
}

/// Two cores, two phases. A phase: each core stores its row of a tensor of its own, signals everyone, waits for two
/// signals and loads both rows. With `careful` a core stores only when it is past the waits before.
isa::Program phases(bool careful) {
  ProgramBuilder b;
  b.program.limits.cores = 2;
  b.program.parameters.push_back({"core_id", 0, 0, 1});
  b.program.parameters.push_back({"core_count", 1, 2, 2});
  const uint8_t stored = b.semaphore(0, Queue::load), full = b.semaphore(0, Queue::store),
                past = b.semaphore(0, Queue::store);
  const Shape row{1, 8}, rows{2, 8};
  const uint16_t x = b.input(DType::f32, row), y = b.output(DType::f32, rows);
  const auto own_row = [&](uint16_t tensor) {
    const uint16_t view = b.view(tensor, row);
    b.program.views[view].origins[0] = {0, 1, 0, 0, isa::no_register};
    return view;
  };
  const uint16_t tile = b.view(b.buffer(DType::f32, row), row), both = b.view(b.buffer(DType::f32, rows), rows);
  b.add(Opcode::load, {tile, b.whole(x)}).signals[0] = {full, 1};
  b.add(Opcode::sync).queue = Queue::store;
  b.program.code.back().waits[0] = {full, 1};
  for (int phase = 0; phase < 2; ++phase) {
    const uint16_t memory = b.scratch(DType::f32, rows);
    isa::Instruction& store = b.add(Opcode::store, {own_row(memory), tile});
    store.signals[0] = {stored, 1, true};
    if (careful && phase > 0) store.waits[0] = {past, 1};
    b.add(Opcode::sync).queue = Queue::load;
    b.program.code.back().waits[0] = {stored, 2};
    if (careful && phase == 0) b.program.code.back().signals[0] = {past, 1};
    isa::Instruction& load = b.add(Opcode::load, {both, b.whole(memory)});
    if (phase == 1) load.signals[0] = {full, 1};
  }
  b.add(Opcode::store, {own_row(y), b.view(b.program.views[both].tensor, row)}).waits[0] = {full, 1};
  return b.finish();
}

TEST(Check, SignalsOfLaterPhasesDoNotCountForEarlierOnes) {
  EXPECT_EQ(found(phases(true)), "");
  EXPECT_EQ(found(phases(false)), "race.R1 4 2");
}

TEST(Check, ASharedLoadBeginsWhenAllItsCoresAreThere) {
  for (const int64_t share : {1, 2}) {
    ProgramBuilder b;
    b.program.limits.cores = 2;
    b.program.parameters.push_back({"core_id", 0, 0, 1});
    const uint8_t stored = b.semaphore(0, Queue::load), full = b.semaphore(0, Queue::store);
    const uint16_t memory = b.scratch(DType::f32, {2, 8}), tile = b.view(b.buffer(DType::f32, {1, 8}), {1, 8});
    const uint16_t row = b.view(memory, {1, 8}), out = b.view(b.output(DType::f32, {2, 8}), {1, 8});
    for (const uint16_t view : {row, out}) b.program.views[view].origins[0] = {0, 1, 0, 0, isa::no_register};
    b.add(Opcode::load, {tile, b.whole(b.input(DType::f32, {1, 8}))}).signals[0] = {full, 1};
    isa::Instruction& store = b.add(Opcode::store, {row, tile});
    store.waits[0] = {full, 1};
    store.signals[0] = {stored, 1};  // to the core itself alone
    const uint16_t both = b.buffer(DType::f32, {2, 8});
    isa::Instruction& load =
        b.add(Opcode::load, {b.view(both, {2, 8}), b.whole(memory)}, {{"share", share}, {"step", 1}});
    load.waits[0] = {stored, 1};
    load.signals[0] = {full, 1};
    b.add(Opcode::store, {out, b.view(both, {1, 8})}).waits[0] = {full, 1};
    EXPECT_EQ(found(b.finish()), share == 1 ? "race.R2 2; race.R3 1 2; race.R1 2 1" : "");
  }
}

TEST(Check, ALongProgramIsRefused) { EXPECT_EQ(found(ring(2), {.instruction_budget = 5}), "check.budget"); }

}  // namespace
}  // namespace hadal::machine
