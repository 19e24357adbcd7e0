// Compiled graphs with one synchronisation less: the check finds each that can change a value.
#include "bench/mutants/mutate.h"

#include "bench/mutants/trial.h"
#include "compile/compiled.h"
#include "graph/helpers.h"
#include "machine/check/run.h"

namespace hadal::bench {
namespace {

/// Two products with a softmax between, then a convolution's worth of rows through the vector queue.
Result<isa::Program> compiled_program(int64_t cores) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, {48, 40}});
  graph::ValueId y = x;
  for (const int64_t width : {40, 24}) {
    const auto n = static_cast<size_t>(graph.value(y).type.shape[1] * width);
    std::vector<float> numbers(n);
    for (size_t i = 0; i < n; ++i) numbers[i] = static_cast<float>(i % 13) / 16 - 0.3f;
    const graph::ValueId w = graph.add_constant("w", graph::floats({graph.value(y).type.shape[1], width}, numbers));
    HADAL_TRY(const auto product, graph.add(graph::ops::matmul, {y, w}, {}, {"product"}));
    HADAL_TRY(const auto soft, graph.add(graph::ops::softmax, {product[0]}, {{"axis", int64_t{1}}}, {"soft"}));
    y = soft[0];
  }
  graph.outputs = {y};
  graph.value(y).name = "y";
  chip::Chip chip = compile::chip_with(64 << 10);
  chip.cores = cores;
  return compile::compile(std::move(graph), chip, {});
}

TEST(Mutants, ThoseThatChangeAValueAreFound) {
  for (const int64_t cores : {1, 4}) {
    const auto program = compiled_program(cores);
    ASSERT_TRUE(program.ok()) << program.error().text();
    const auto clean = machine::check_program(*program, program->limits.cores);
    ASSERT_TRUE(clean.ok() && machine::status_of(*program, *clean).ok())
        << machine::status_of(*program, *clean).error().text();
    const auto inputs = some_inputs(*program, 1);
    ASSERT_TRUE(inputs.ok());
    const auto values = usual_values(*program, *inputs);
    ASSERT_TRUE(values.ok()) << values.error().text();
    size_t races = 0, shown = 0;
    const std::vector<Mutant> all = mutants_of(*program);
    std::vector<Mutant> mutants;  // A third of them, of all kinds: bench_mutants tries all.
    for (size_t i = static_cast<size_t>(cores) % 3; i < all.size(); i += 3) mutants.push_back(all[i]);
    for (const Mutant& mutant : mutants) {
      const auto trial = try_mutant(*program, mutant, *inputs, *values, 1, true);
      ASSERT_TRUE(trial.ok()) << trial.error().text();
      EXPECT_TRUE(trial->verdict == Verdict::race || !trial->changes)
          << mutant.kind << " of instruction " << mutant.instruction;
      races += trial->verdict == Verdict::race ? 1 : 0;
      shown += trial->verdict == Verdict::race && trial->changes ? 1 : 0;
    }
    EXPECT_GT(mutants.size(), 15U);
    EXPECT_GT(races, mutants.size() / 4);
    EXPECT_GT(shown, races / 2);  // most races are no mere possibility
  }
}

}  // namespace
}  // namespace hadal::bench
