// Attention by blocks of keys, with every cut that the search may choose: values, and races.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compile/backend.h"
#include "compile/fuse.h"
#include "compiled.h"
#include "graph/ops.h"
#include "machine/check/run.h"

namespace hadal::compile {
namespace {

namespace ops = graph::ops;
using graph::ValueId;

enum class Mask : uint8_t { none, causal, past, window, lowest, blind, any, input, chosen, padding };

struct Case {
  const char* name;
  DType dtype = DType::f32;
  Shape batch;
  int64_t rows = 1, keys = 1, depth = 1;
  Mask mask = Mask::none;
  bool shared = false, residual = false;
  int64_t cores = 4, scratchpad = 1 << 20;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

struct Built {
  graph::Graph graph;
  std::vector<Tensor> inputs;
};

/// Whether a query sees a key; `blind`: the first rows see none.
bool sees(const Case& c, int64_t i, int64_t j) {
  switch (c.mask) {
    case Mask::causal:
    case Mask::chosen:
    case Mask::lowest:
      return j <= i;
    case Mask::past:
      return j <= i + (c.keys - c.rows);
    case Mask::window:
      return j <= i + 3 && j >= i - 40;
    case Mask::blind:
      return j <= i - 5;
    case Mask::any:
    case Mask::input:
      return (i * 31 + j * 17) % 5 != 0;
    case Mask::none:
    case Mask::padding:
      break;
  }
  return true;
}

Tensor mask_of(const Case& c) {
  const float hidden = c.mask == Mask::lowest ? std::numeric_limits<float>::lowest() : -INFINITY;
  std::byte* data = nullptr;
  Tensor mask = Tensor::zeros(c.dtype, {c.rows, c.keys}, data);
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.keys; ++j)
      if (!sees(c, i, j)) store_number(c.dtype, data + (i * c.keys + j) * bytes_of(c.dtype), hidden);
  return mask;
}

/// softmax(q k / 4 + mask) v + residual.
Built built(const Case& c) {
  Built out;
  const auto input = [&](const char* name, const Shape& lead, int64_t rows, int64_t columns) {
    Shape shape = lead;
    shape.insert(shape.end(), {rows, columns});
    out.inputs.push_back(numbers(c.dtype, shape));
    return out.graph.add_input(name, {c.dtype, shape});
  };
  const auto add = [&](const graph::Op& op, const std::vector<ValueId>& from, const graph::Attributes& attributes) {
    const auto made = out.graph.add(op, from, attributes, {std::string(op.name)});
    EXPECT_TRUE(made.ok()) << made.error().text();
    return (*made)[0];
  };
  Shape shared = c.batch;
  if (c.shared) shared.back() = 1;
  const ValueId q = input("q", c.batch, c.rows, c.depth), k = input("k", shared, c.keys, c.depth),
                v = input("v", shared, c.keys, c.depth + 3);
  const ValueId scale = out.graph.add_constant("scale", Tensor::of<float>(DType::f32, {}, {0.25F}));
  ValueId scores = add(ops::matmul, {q, k}, {{"transpose_b", int64_t{1}}});
  scores = add(
      ops::mul,
      {scores,
       c.dtype == DType::f32 ? scale : out.graph.add_constant("s", cast(*out.graph.value(scale).constant, c.dtype))},
      {});
  if (c.mask == Mask::input) {
    scores = add(ops::add, {scores, out.graph.add_input("mask", {c.dtype, {c.rows, c.keys}})}, {});
    out.inputs.push_back(mask_of(c));
  } else if (c.mask == Mask::chosen) {
    Tensor seen = cast(mask_of(c), DType::boolean);  // Of what is hidden; then its opposite.
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < seen.size(); ++i) bytes.push_back(number_at(seen, i) == 0 ? 1 : 0);
    const ValueId mask = out.graph.add_constant("mask", Tensor::of(DType::boolean, {c.rows, c.keys}, bytes));
    const ValueId low = out.graph.add_constant("low", Tensor::of<float>(DType::f32, {}, {-1e34F}));
    scores = add(ops::where, {mask, scores, low}, {});
  } else if (c.mask == Mask::padding) {  // Of each batch, of which there are as many as rows.
    std::byte* data = nullptr;
    Tensor mask = Tensor::zeros(c.dtype, {c.batch[0], 1, c.keys}, data);
    for (int64_t b = 0; b < c.batch[0]; ++b)
      for (int64_t j = 7 * b + 1; j < c.keys; ++j)
        store_number(c.dtype, data + (b * c.keys + j) * bytes_of(c.dtype), -INFINITY);
    scores = add(ops::add, {scores, out.graph.add_constant("mask", std::move(mask))}, {});
  } else if (c.mask != Mask::none) {
    scores = add(ops::add, {scores, out.graph.add_constant("mask", mask_of(c))}, {});
  }
  const auto axis = static_cast<int64_t>(c.batch.size()) + 1;
  ValueId y = add(ops::matmul, {add(ops::softmax, {scores}, {{"axis", axis}}), v}, {});
  if (c.residual) y = add(ops::add, {y, input("r", c.batch, c.rows, c.depth + 3)}, {});
  out.graph.value(y).name = "y";
  out.graph.outputs = {y};
  return out;
}

class OnlineAttention : public testing::TestWithParam<Case> {};

TEST_P(OnlineAttention, EveryCutGivesTheValuesWithoutRaces) {
  const Case& c = GetParam();
  chip::Chip chip = chip_with(c.scratchpad);
  Built b = built(c);
  const auto wanted = graph::evaluate(b.graph, b.inputs);
  ASSERT_TRUE(wanted.ok()) << wanted.error().text();
  const std::vector<Group> groups = join_attention(b.graph, fuse(b.graph));
  ASSERT_EQ(groups.size(), 1u);
  Interface interface{"f32", std::vector(b.graph.inputs.size(), c.dtype), {c.dtype}, {}};
  Plan plan{.cores = c.cores, .attention = Scores::online};
  std::map<MatrixShape, TileChoice> choices;
  size_t cuts = 1;
  for (size_t cut = 0; cut < cuts; ++cut) {
    if (cut > 0) plan.tiles[choices.begin()->first] = cut;
    graph::Graph graph = b.graph;
    const Backend backend(chip, plan);
    const auto tiles = backend.emit(graph, groups, interface, &choices);
    ASSERT_TRUE(tiles.ok()) << tiles.error().text();
    ASSERT_EQ(choices.size(), 1u);  // Of cuts: that by whole rows has none.
    cuts = choices.begin()->second.tiles;
    const auto program = backend.lower(*tiles);
    ASSERT_TRUE(program.ok()) << program.error().text();
    const auto checked = machine::check_program(*program, c.cores);
    ASSERT_TRUE(checked.ok()) << checked.error().text();
    const Status status = machine::status_of(*program, *checked);
    ASSERT_TRUE(status.ok()) << status.error().text();
    const auto machine = machine::ValueMachine::make(*program, c.cores, {});
    ASSERT_TRUE(machine.ok()) << machine.error().text();
    machine::ValueCounts counts;
    const auto values = (*machine)->run(b.inputs, counts);
    ASSERT_TRUE(values.ok()) << values.error().text();
    expect_close((*values)[0], (*wanted)[0], c.dtype == DType::f32 ? 1e-4 : 5e-2);
  }
  EXPECT_GE(cuts, 2u);
}

INSTANTIATE_TEST_SUITE_P(
    All, OnlineAttention,
    testing::Values(Case{"plain", DType::f32, {2, 3}, 70, 290, 16}, Case{"bf16", DType::bf16, {2}, 130, 260, 24},
                    Case{"causal", DType::f32, {3}, 200, 200, 16, Mask::causal},
                    Case{"chosen", DType::f32, {3}, 200, 200, 16, Mask::chosen},
                    Case{"padding", DType::f32, {130}, 130, 920, 8, Mask::padding},
                    Case{"past", DType::f32, {2, 2}, 40, 333, 8, Mask::past},
                    Case{"window", DType::f32, {1}, 150, 300, 8, Mask::window},
                    Case{"lowest", DType::f32, {2}, 129, 129, 8, Mask::lowest},
                    Case{"blind", DType::f32, {2}, 100, 100, 8, Mask::blind},
                    Case{"any", DType::f32, {2}, 90, 150, 8, Mask::any},
                    Case{"input", DType::f32, {2}, 90, 150, 8, Mask::input},
                    Case{"shared", DType::f32, {2, 4}, 65, 190, 16, Mask::none, true},
                    Case{"shared causal", DType::bf16, {1, 4}, 150, 150, 16, Mask::causal, true},
                    Case{"residual", DType::f32, {2, 2}, 77, 200, 16, Mask::causal, false, true},
                    Case{"one core", DType::f32, {2}, 300, 300, 32, Mask::causal, false, false, 1, 1 << 19}),
    [](const testing::TestParamInfo<Case>& one) {
      std::string name = one.param.name;
      std::ranges::replace(name, ' ', '_');
      return name;
    });

}  // namespace
}  // namespace hadal::compile
