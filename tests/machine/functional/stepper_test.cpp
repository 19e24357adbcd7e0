#include "machine/functional/stepper.h"

#include "machine/functional/support.h"

namespace hadal::machine {

namespace {

/// Both cores copy the input to the output, by halves of their own; core 1 waits for core 0.
isa::Program copies(bool signals) {
  ProgramBuilder b;
  b.program.limits.cores = 2;
  b.program.parameters.push_back({"core_id", 0, 0, 1});
  const uint16_t from = b.input(DType::f32, {2, 4}), to = b.output(DType::f32, {2, 4});
  const uint16_t local = b.view(b.buffer(DType::f32, {1, 4}), {1, 4});
  const uint8_t turn = b.semaphore(0, isa::Queue::load);
  const auto half = [&](uint16_t tensor) {
    const uint16_t number = b.view(tensor, {1, 4});
    b.program.views[number].origins[0] = {0, 1, 0, 0, isa::no_register};
    return number;
  };
  b.add(isa::Opcode::load, {local, half(from)});
  b.add(isa::Opcode::store, {half(to), local});
  if (signals) b.program.code.back().signals[0] = {turn, 1, true};
  b.add(isa::Opcode::sync).queue = isa::Queue::load;
  b.program.code.back().waits[0] = {turn, 2};
  return b.finish();
}

Tensor counted() { return Tensor::of<float>(DType::f32, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}); }

}  // namespace

TEST(Stepper, ACoreGoesOnUntilItMustWait) {
  const isa::Program program = copies(true);
  auto stepper = Stepper::make(program, 2, {}, {counted()});
  ASSERT_TRUE(stepper) << stepper.error().text();
  std::vector<std::pair<size_t, size_t>> order;
  while (true) {
    const auto turn = (*stepper)->turn();
    ASSERT_TRUE(turn) << turn.error().text();
    if (!*turn) break;
    const auto executed = (*stepper)->step();
    ASSERT_TRUE(executed);
    EXPECT_EQ(executed->core, **turn);
    EXPECT_EQ(executed->worked, executed->in->op != isa::Opcode::sync);
    order.emplace_back(executed->core, executed->instruction);
  }
  EXPECT_EQ(order, (std::vector<std::pair<size_t, size_t>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {0, 2}}));
  const std::vector<Tensor> want = run_program(program, {counted()}, {}, nullptr, 2);
  const Tensor got = (*stepper)->memory().outputs()[0];
  EXPECT_TRUE(std::ranges::equal(got.bytes.view, want[0].bytes.view));
  EXPECT_EQ((*stepper)->step().error().code, "run.ended");
}

TEST(Stepper, WhatIsWrongIsSaidAgain) {
  const isa::Program program = copies(false);
  auto stepper = Stepper::make(program, 2, {}, {counted()});
  ASSERT_TRUE(stepper) << stepper.error().text();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE((*stepper)->step());
  EXPECT_EQ((*stepper)->step().error().code, "sync.C1");
  EXPECT_EQ((*stepper)->turn().error().code, "sync.C1");
}

TEST(Stepper, TheCallerMayChooseTheCore) {
  const isa::Program program = copies(true);
  auto stepper = Stepper::make(program, 2, {}, {counted()});
  ASSERT_TRUE(stepper) << stepper.error().text();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE((*stepper)->step(1)->has_value());
  EXPECT_FALSE((*stepper)->step(1)->has_value());  // It waits for core 0.
  EXPECT_EQ((*stepper)->semaphore(1, 0), 1);
  EXPECT_EQ((*stepper)->turn().value(), 0);
}

}  // namespace hadal::machine
