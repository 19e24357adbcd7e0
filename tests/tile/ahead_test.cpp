#include "tile/ahead.h"

#include <gtest/gtest.h>

#include "isa/verify.h"
#include "tile/statements.h"

namespace hadal::tile {
namespace {

constexpr Target one_core{
    .cores = 1, .scratchpad_bytes = 1 << 20, .accumulator_bytes = 1 << 16, .memory_bytes = 1 << 30};

/// Phases that copy so many rows of 16 floats, prefetched and stored one by one.
Program copies(const std::vector<int64_t>& rows, int slots) {
  Program program;
  program.rings = {{"ring", isa::Queue::prefetch, isa::Queue::store, slots, slots, 4096}};
  program.storages = {{"in", isa::RegionKind::input, 1024}, {"out", isa::RegionKind::output, 1024}};
  program.tensors = {{"in", 0, DType::f32, {16, 16}, {64, 4}, 0}, {"out", 1, DType::f32, {16, 16}, {64, 4}, 0}};
  program.inputs.push_back({"in", DType::f32, DType::f32, {16, 16}, 0});
  program.outputs.push_back({"out", DType::f32, DType::f32, {16, 16}, 1});
  for (const int64_t count : rows) {
    const Expr row = Expr::variable("row", 0, count - 1);
    const TileView x{0, {Expr(1), Expr(16)}};
    Phase phase;
    phase.layer.name = "copy";
    phase.tiles = {{"x", 0, DType::f32}};
    phase.body = {loop(
        row, count,
        {tile_of(0), instruction(isa::Opcode::load, isa::Queue::prefetch, {x, Window{0, {row, Expr(0)}, x.extents}}),
         instruction(isa::Opcode::store, isa::Queue::store, {Window{1, {row, Expr(0)}, x.extents}, x})})};
    program.phases.push_back(std::move(phase));
  }
  return program;
}

std::string text_of(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) {
    constexpr std::array<const char*, 3> names{"", "ahead", "rest"};
    text += fmt::format("{}{} ", step.phase, names[static_cast<size_t>(step.slice)]);
  }
  return text;
}

std::string steps(const std::vector<int64_t>& rows, int slots, int64_t ahead) {
  const Program program = copies(rows, slots);
  Placement placement;
  placement.slots = {slots};
  return text_of(steps_of(program, placement, ahead));
}

TEST(Ahead, PrefetchesStandAsFarUpAsTheirSlotsAreFree) {
  EXPECT_EQ(steps({2, 2, 2, 2}, 4, 99), "0 1ahead 2ahead 1rest 3ahead 2rest 3rest ");
  EXPECT_EQ(steps({2, 2, 2, 2}, 6, 99), "0 1ahead 2ahead 3ahead 1rest 2rest 3rest ");
}

TEST(Ahead, APhaseOfMoreTilesThanSlotsStaysWhole) { EXPECT_EQ(steps({2, 5, 2}, 4, 99), "0 1 2ahead 2rest "); }

TEST(Ahead, NoMoreInstructionsStandAheadThanAllowed) {
  EXPECT_EQ(steps({2, 2, 2, 2}, 8, 2), "0 1ahead 1rest 2ahead 2rest 3ahead 3rest ");
  EXPECT_EQ(steps({2, 2}, 8, 0), "0 1 ");
}

/// Where prefetches of the last phase stand in the program, and whether it is legal.
TEST(Ahead, ProgramsAreLegalAndKeepTheLayerOfWhatStandsAhead) {
  Target target = one_core;
  target.ahead = 99;
  const auto program = lower(copies({2, 2, 2}, 8), target);
  ASSERT_TRUE(program) << program.error().text();
  const auto verified = isa::verify(*program);
  EXPECT_TRUE(verified) << verified.error().text();
  size_t last_load = 0, first_store = 0;
  for (size_t i = program->code.size(); i-- > 0;) {
    if (program->source[i] == 2 && program->code[i].op == isa::Opcode::load) last_load = i;
    if (program->source[i] == 1 && program->code[i].op == isa::Opcode::store) first_store = i;
  }
  EXPECT_LT(last_load, first_store);
}

}  // namespace
}  // namespace hadal::tile
