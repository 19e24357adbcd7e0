// Products with scales, and of matrices that an index names: compiled, and run.
#include "compile/profile.h"
#include "compiled.h"
#include "graph/ops.h"

namespace hadal::compile {
namespace {

namespace ops = graph::ops;
using graph::ValueId;

struct Case {
  const char* chip;
  const char* profile;  ///< Empty: the compiler's own schedule.
  int64_t batch, m, k, n, tables;
  bool scaled;
};

/// x [batch, m, k] times the table that `groups` names for each batch, and the reference's values of the same graph.
struct Built {
  graph::Graph graph;
  std::vector<Tensor> inputs;
  std::vector<Tensor> wanted;
};

Tensor groups_of(int64_t batch, int64_t tables) {
  std::vector<int32_t> groups;
  for (int64_t i = 0; i < batch; ++i) groups.push_back(static_cast<int32_t>(i * 7 / 3 % tables));
  return Tensor::of(DType::i32, {batch}, groups);
}

Built built(const Case& c) {
  const auto blocks = [](int64_t extent) { return (extent + 127) / 128; };
  const DType type = c.scaled ? DType::f8e4m3 : DType::bf16;
  Built out;
  std::vector<ValueId> values;
  const auto input = [&](Tensor tensor) {
    const auto name = fmt::format("x{}", out.inputs.size());
    values.push_back(out.graph.add_input(name, {tensor.dtype, tensor.shape}));
    out.inputs.push_back(std::move(tensor));
    return values.back();
  };
  std::vector<Tensor> results;
  const auto add = [&](const graph::Op& op, const std::vector<ValueId>& from, const graph::Attributes& attributes) {
    const auto made = out.graph.add(op, from, attributes, {std::string(op.name)});
    EXPECT_TRUE(made.ok()) << made.error().text();
    return (*made)[0];
  };
  const ValueId x = input(numbers(type, {c.batch, c.m, c.k})), w = input(numbers(type, {c.tables, c.k, c.n}));
  const ValueId group = input(groups_of(c.batch, c.tables));
  const graph::Attributes first{{"axis", int64_t{0}}};
  const ValueId looked_up = add(ops::gather, {w, group}, first);
  ValueId y = 0;
  if (c.scaled) {
    const ValueId of_x = input(numbers(DType::f32, {c.batch, c.m, blocks(c.k)}));
    const ValueId of_w = input(numbers(DType::f32, {c.tables, blocks(c.k), blocks(c.n)}));
    y = add(ops::scaled_matmul, {x, looked_up, of_x, add(ops::gather, {of_w, group}, first)}, {{"to", "bf16"}});
  } else {
    y = add(ops::matmul, {x, looked_up}, {});
  }
  out.graph.outputs = {y};
  out.graph.value(y).name = "y";
  out.wanted = *graph::evaluate(out.graph, out.inputs);
  return out;
}

class GroupedProducts : public testing::TestWithParam<Case> {};

TEST_P(GroupedProducts, GiveTheReferencesValues) {
  const Case& c = GetParam();
  const Built b = built(c);
  const auto chip = chip::load_chip(c.chip);
  ASSERT_TRUE(chip.ok()) << chip.error().text();
  Options options;
  Profile profile;
  if (*c.profile != 0) {
    profile = *load_profile(c.profile);
    options.profile = &profile;
  }
  const auto program = compile(b.graph, *chip, options);
  ASSERT_TRUE(program.ok()) << program.error().text();
  // Nothing copies the matrices that are looked up.
  EXPECT_EQ(program->layers.size(), 1u);
  const auto machine = machine::ValueMachine::make(*program, chip->cores, {});
  ASSERT_TRUE(machine.ok()) << machine.error().text();
  machine::ValueCounts counts;
  const auto values = (*machine)->run(b.inputs, counts);
  ASSERT_TRUE(values.ok()) << values.error().text();
  expect_close((*values)[0], b.wanted[0], 8e-3);
}

INSTANTIATE_TEST_SUITE_P(All, GroupedProducts,
                         testing::Values(Case{"hadal-1", "", 5, 24, 70, 40, 3, false},
                                         Case{"hadal-1", "", 1, 24, 70, 40, 3, false},
                                         Case{"h800", "", 6, 128, 256, 200, 4, true},
                                         Case{"h800", "h800-deepgemm", 6, 128, 384, 300, 4, true},
                                         Case{"h800", "h800-deepgemm", 1, 70, 200, 96, 2, true}));

}  // namespace
}  // namespace hadal::compile
