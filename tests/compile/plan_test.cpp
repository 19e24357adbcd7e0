// Which of the tried plans becomes the program.
#include <gtest/gtest.h>

#include <algorithm>

#include "chip/chip.h"
#include "compile/compile.h"
#include "graph/helpers.h"

namespace hadal::compile {
namespace {

/// Compiles a small matmul for the flagship, where a program takes what `cycles` says. The cores of what was tried go
/// to `tried`.
Result<isa::Program> compiled(const std::function<Result<int64_t>(int64_t cores)>& cycles,
                              std::vector<int64_t>& tried) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, {64, 32}});
  const graph::ValueId w = graph.add_constant("w", graph::floats({32, 48}, std::vector<float>(size_t{32} * 48, 0.5f)));
  HADAL_TRY(const auto y, graph.add(graph::ops::matmul, {x, w}, {}, {"matmul"}));
  graph.outputs = {y[0]};
  graph.value(y[0]).name = "y";
  HADAL_TRY(const chip::Chip chip, chip::load_chip("hadal-1"));
  Options options;
  options.cycles = [&](const isa::Program& program) {
    tried.push_back(program.limits.cores);
    return cycles(program.limits.cores);
  };
  return compile(std::move(graph), chip, options);
}

TEST(Plan, TheFastestStays) {
  std::vector<int64_t> tried;
  const auto program = compiled([](int64_t cores) -> Result<int64_t> { return cores == 4 ? 100 : 110; }, tried);
  ASSERT_TRUE(program.ok()) << program.error().text();
  EXPECT_EQ(program->limits.cores, 4);
  EXPECT_EQ((std::vector<int64_t>{tried.begin(), tried.begin() + 5}), (std::vector<int64_t>{16, 8, 4, 2, 1}));
}

TEST(Plan, FewerCoresAreTriedWhileTheyPromiseAnything) {
  std::vector<int64_t> tried;
  const auto program = compiled([](int64_t cores) -> Result<int64_t> { return 1600 / cores; }, tried);
  ASSERT_TRUE(program.ok()) << program.error().text();
  EXPECT_EQ(program->limits.cores, 16);
  EXPECT_EQ(std::count(tried.begin(), tried.end(), 8), 1);
  EXPECT_EQ(std::count(tried.begin(), tried.end(), 4), 0);
}

TEST(Plan, WhatIsVariedMaySuitTheNextBetter) {
  std::vector<int64_t> tried;
  const auto program = compiled(
      [&](int64_t cores) -> Result<int64_t> {
        if (cores == 16) return 100;
        return cores == 8 && std::ranges::count(tried, 8) > 1 ? 99 : 105;
      },
      tried);
  ASSERT_TRUE(program.ok()) << program.error().text();
  EXPECT_EQ(program->limits.cores, 8);
}

TEST(Plan, OneThatFailsIsPassedOver) {
  std::vector<int64_t> tried;
  const auto fewer = compiled(
      [](int64_t cores) -> Result<int64_t> {
        if (cores < 8) return Error{"plan.capacity", "too little memory"};
        return cores;
      },
      tried);
  ASSERT_TRUE(fewer.ok()) << fewer.error().text();
  EXPECT_EQ(fewer->limits.cores, 8);
  const auto none = compiled([](int64_t) -> Result<int64_t> { return Error{"machine.any", "no"}; }, tried);
  ASSERT_TRUE(none.ok()) << none.error().text();
  EXPECT_EQ(none->limits.cores, 16);  // Then what is wrong is told by whoever runs it.
}

TEST(Plan, AttentionGoesInPartsWhereNothingElseFits) {
  graph::Graph graph;
  const auto input = [&](const char* name) { return graph.add_input(name, {DType::f32, {2, 40, 16}}); };
  const graph::ValueId q = input("q"), k = input("k"), v = input("v");
  const auto scores = graph.add(graph::ops::matmul, {q, k}, {{"transpose_b", int64_t{1}}}, {"scores"});
  const auto weights = graph.add(graph::ops::softmax, {(*scores)[0]}, {{"axis", int64_t{2}}}, {"weights"});
  const auto mixed = graph.add(graph::ops::matmul, {(*weights)[0], v}, {}, {"mixed"});
  graph.value((*mixed)[0]).name = "y";
  graph.outputs = {(*mixed)[0]};
  const auto joined = [](const isa::Program& program) {
    return std::ranges::any_of(program.layers, [](const isa::Layer& layer) { return layer.op == "attention"; });
  };
  const auto chip = chip::load_chip("hadal-1");
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  for (const bool fits : {true, false}) {
    Options options;
    options.cycles = [&](const isa::Program& program) -> Result<int64_t> {
      if (joined(program) && !fits) return Error{"plan.capacity", "too little memory"};
      return joined(program) ? 100 : 200;
    };
    const auto program = compile(graph, *chip, options);
    ASSERT_TRUE(program.ok()) << program.error().text();
    EXPECT_EQ(joined(*program), fits);
  }
}

}  // namespace
}  // namespace hadal::compile
