#include "isa/budget.h"

#include "machine/functional/run.h"
#include "machine/timing/run.h"
#include "programs.h"

namespace hadal::isa::testing {

namespace {

/// One core that repeats `body`; what is in front of it is done once.
Program repeating(const std::string& before, const std::string& body) {
  return assembled(R"(program repeats chip any precision f32
limit cores 1
limit scratchpad 64
limit accumulator 0
limit memory 64
region x input 16
region y output 16
tensor x in x f32 [4]
tensor y in y f32 [4]
tensor a scratchpad f32 16 bytes at 0
layer l copy nodes [n] macs 0 bytes 32 precision f32
input x f32 [4] in x
output y f32 [4] in y
code
)" + before + body +
                   "  load a [4], x[0] [4]\n  store y[0] [4], a [4]\n  halt\n");
}

TEST(Budget, LoopsOfConstantCountsAreRunOut) {
  EXPECT_EQ(least_instructions(repeating("", "")), 3u);
  EXPECT_EQ(least_instructions(repeating("", "  loop r1, 10\n    let r2 = add r2, 1\n  end\n")), 3u + 1 + 10 * 1 + 1);
  const std::string nested = "  loop r1, 10\n  loop r2, 20\n    let r3 = add r3, 1\n  end\n  end\n";
  EXPECT_EQ(least_instructions(repeating("", nested)), 3u + 1 + 10 * (1 + 20 + 1) + 1);
  Program program = repeating("", nested);
  program.limits.cores = 7;
  EXPECT_EQ(least_instructions(program), 7 * 225u);
}

TEST(Budget, CountsThatOverflowAreRefused) {
  std::string deep, ends;
  for (int i = 0; i < 8; ++i) deep += fmt::format("  loop r{}, 2000000000\n", i + 1), ends += "  end\n";
  const Program program = repeating("", deep + "    let r9 = add r9, 1\n" + ends);
  EXPECT_EQ(least_instructions(program), UINT64_MAX);
  const Status status = check_budget(program);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, "run.budget");
  EXPECT_TRUE(check_budget(example("matmul")).ok());
}

/// Loops whose count is a register, around nothing that reaches an engine.
TEST(Budget, BothMachinesLeaveLoopsAroundNothing) {
  const Program program =
      repeating("  let r5 = add 0, 1000000000\n", "  loop r2, r5 max 1000000000\n    let r6 = add r5, 1\n  end\n");
  EXPECT_TRUE(check_budget(program).ok());
  const auto chip = chip::load_chip("hadal-edge");
  ASSERT_TRUE(chip.ok());
  machine::ValueOptions values;
  values.instruction_budget = 1000;
  const auto machine = machine::ValueMachine::make(program, 1, values);
  ASSERT_TRUE(machine.ok());
  machine::ValueCounts counts;
  const auto outputs = (*machine)->run({Tensor::of<float>(DType::f32, {4}, {1, 2, 3, 4})}, counts);
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().code, "run.budget");
  const auto timing = machine::time_program(program, *chip, {.instruction_budget = 1000});
  ASSERT_FALSE(timing.ok());
  EXPECT_EQ(timing.error().code, "run.budget");
}

}  // namespace

}  // namespace hadal::isa::testing
