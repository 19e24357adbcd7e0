#include "tile/lower.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "isa/verify.h"
#include "tile/statements.h"

namespace hadal::tile {
namespace {

constexpr Target two_cores{2, 1 << 20, 1 << 16, 1 << 30, 4096};

/// Copies 8 rows of 16 floats: each core takes 4, row by row. `phases` copies stand in a row, each of the one before.
Program copies(int phases) {
  Program program;
  program.rings = {{"ring", isa::Queue::load, isa::Queue::store, 2, 4, 4096}};
  program.storages.push_back({"in", isa::RegionKind::input, 512});
  for (int p = 0; p < phases; ++p)
    program.storages.push_back({p + 1 == phases ? "out" : "middle",
                                p + 1 == phases ? isa::RegionKind::output : isa::RegionKind::scratch, 512});
  for (size_t s = 0; s < program.storages.size(); ++s)
    program.tensors.push_back({program.storages[s].name, static_cast<int>(s), DType::f32, {8, 16}, {64, 4}, 0});
  program.inputs.push_back({"in", DType::f32, DType::f32, {8, 16}, 0});
  program.outputs.push_back({"out", DType::f32, DType::f32, {8, 16}, static_cast<uint16_t>(phases)});
  const Expr row = Expr::variable("row", 0, 3), at = row + core_id(2) * Expr(4);
  for (int p = 0; p < phases; ++p) {
    const TileView x{0, {Expr(1), Expr(16)}};
    Phase phase;
    phase.layer.name = "copy";
    phase.tiles = {{"x", 0, DType::f32}};
    phase.body = {loop(
        row, 4,
        {tile_of(0),
         instruction(isa::Opcode::load, isa::Queue::load, {x, Window{p, {at, Expr(0)}, {Expr(1), Expr(16)}}}),
         instruction(isa::Opcode::store, isa::Queue::store, {Window{p + 1, {at, Expr(0)}, {Expr(1), Expr(16)}}, x})})};
    program.phases.push_back(std::move(phase));
  }
  return program;
}

TEST(Lower, MakesALegalProgram) {
  const auto program = lower(copies(3), two_cores);
  ASSERT_TRUE(program) << program.error().text();
  const auto verified = isa::verify(*program);
  EXPECT_TRUE(verified) << verified.error().text();
}

/// The copy of `copies(1)`, by hand: the semaphores of a ring of two slots, and the slots, are named.
Program copies_by_hand() {
  Program program = copies(1);
  program.rings = {{"ring", isa::Queue::vector, isa::Queue::vector, 2, 2, 0, true}};
  program.semaphores = {{"free", 2, isa::Queue::load}, {"full", 0, isa::Queue::store}};
  Statement& row = program.phases[0].body[0];
  Statement block;
  block.kind = Statement::Kind::manual;
  block.body = {row.body[1], row.body[2]};
  std::get<TileView>(block.body[0].operands[0]).slot = row.index;
  std::get<TileView>(block.body[1].operands[1]).slot = row.index;
  block.body[0].waits = block.body[1].signals = {{0, 1, false}};
  block.body[0].signals = block.body[1].waits = {{1, 1, false}};
  block.body[0].line = "copy.py:3";
  row.body = {block};
  return program;
}

TEST(Lower, WhatIsByHandHasItsOwnSemaphoresAlone) {
  const auto program = lower(copies_by_hand(), two_cores);
  ASSERT_TRUE(program) << program.error().text();
  const auto verified = isa::verify(*program);
  EXPECT_TRUE(verified) << verified.error().text();
  const auto named = [&](const char* name) {
    return std::ranges::count(program->semaphores, name, &isa::Semaphore::name);
  };
  EXPECT_EQ(named("free") + named("full") + named("waited"), std::ssize(program->semaphores));
  for (size_t i = 0; i < program->code.size(); ++i) {
    const isa::Instruction& in = program->code[i];
    if (in.op != isa::Opcode::load) continue;
    EXPECT_EQ(program->semaphores[in.waits[0].id].name, "free");
    EXPECT_EQ(program->semaphores[in.signals[0].id].name, "full");
    EXPECT_EQ(program->lines[i], "copy.py:3");
    const isa::View& to = program->views[in.operands[0]];
    EXPECT_EQ(to.slots, 2);
    EXPECT_EQ(to.ring_register, program->views[in.operands[1]].origins[0].register_b);
  }
}

TEST(Lower, ATileThatCrossesTheEdgeOfWhatIsByHandIsFenced) {
  Program program = copies(1);
  Statement& row = program.phases[0].body[0];
  Statement block;
  block.kind = Statement::Kind::manual;
  block.body = {row.body[1]};
  row.body[1] = block;
  const auto lowered = lower(program, two_cores);
  ASSERT_TRUE(lowered) << lowered.error().text();
  EXPECT_TRUE(isa::verify(*lowered));
  std::vector<isa::Instruction> of_load;
  for (const isa::Instruction& in : lowered->code)
    if (in.queue == isa::Queue::load) of_load.push_back(in);
  ASSERT_EQ(of_load.size(), 3U);  // Wait, load, signal.
  EXPECT_EQ(of_load[0].op, isa::Opcode::sync);
  EXPECT_EQ(lowered->semaphores[of_load[0].waits[0].id].name, "ring.free");
  EXPECT_EQ(of_load[1].waits[0].count + of_load[1].signals[0].count, 0);
  EXPECT_EQ(lowered->semaphores[of_load[2].signals[0].id].name, "ring.full");
}

TEST(Lower, SizeGrowsWithPhasesNotWithTrips) {
  Program longer = copies(1);
  longer.phases[0].body[0].count = Expr(2);
  EXPECT_EQ(lower(copies(1), two_cores)->code.size(), lower(longer, two_cores)->code.size());
}

TEST(Lower, APhaseWaitsForAllCoresOfTheOneItReads) {
  const auto program = lower(copies(2), two_cores);
  ASSERT_TRUE(program);
  const auto waits_for_both = [](const isa::Instruction& in) {
    return in.op == isa::Opcode::sync && in.queue == isa::Queue::load && in.waits[0].count == 2;
  };
  EXPECT_EQ(std::count_if(program->code.begin(), program->code.end(), waits_for_both), 1);
}

TEST(Lower, ReadySemaphoresAreUsedAgain) { EXPECT_LT(lower(copies(40), two_cores)->semaphores.size(), 8U); }

TEST(Lower, ScratchIsUsedAgainOnceAllCoresHaveReadIt) {
  const auto program = lower(copies(40), two_cores);
  uint64_t shared = 0;
  for (const isa::Region& region : program->regions)
    if (region.kind == isa::RegionKind::shared) shared = region.bytes;
  EXPECT_LE(shared, 4U * 4096);
}

TEST(Lower, TooLargeRingsAreRefused) {
  Target small = two_cores;
  small.scratchpad_bytes = 64;
  const auto program = lower(copies(1), small);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, "plan.capacity");
}

TEST(Lower, ATileThatLivesAcrossALoopTakingItsRingIsRefused) {
  Program program = copies(1);
  Phase& phase = program.phases[0];
  phase.tiles.push_back({"y", 0, DType::f32});
  const TileView y{1, {Expr(1), Expr(16)}};
  phase.body.insert(phase.body.begin(),
                    {tile_of(1), instruction(isa::Opcode::load, isa::Queue::load,
                                             {y, Window{0, {Expr(0), Expr(0)}, {Expr(1), Expr(16)}}})});
  phase.body.push_back(
      instruction(isa::Opcode::store, isa::Queue::store, {Window{1, {Expr(0), Expr(0)}, {Expr(1), Expr(16)}}, y}));
  const auto lowered = lower(program, two_cores);
  ASSERT_FALSE(lowered);
  EXPECT_EQ(lowered.error().code, "lower.ring");
}

}  // namespace
}  // namespace hadal::tile
