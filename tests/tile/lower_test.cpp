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
