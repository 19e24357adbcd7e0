// Profiles: the shipped ones, hostile files, and what the compiler makes of one.
#include "compile/profile.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "compile/compile.h"
#include "compile/compiled.h"
#include "graph/helpers.h"
#include "machine/timing/run.h"

namespace hadal::compile {
namespace {

const std::string start = "name = \"p\"\nsummary = \"s\"\nchip = \"tpu-v3\"\n";
const std::string launch = "[launch]\nmatmul = \"1 us\"\n";

TEST(Profile, EveryShippedOneIsOfAShippedChip) {
  const auto names = shipped_profiles();
  EXPECT_EQ(names, (std::vector<std::string>{"a100-pytorch", "h800-deepgemm", "mi210-pytorch", "tpu-v3-xla",
                                             "tpu-v6e-paged", "tpu-v6e-pallas", "tpu-v6e-xla"}));
  for (const std::string& name : names) {
    const auto profile = load_profile(name);
    ASSERT_TRUE(profile.ok()) << profile.error().text();
    EXPECT_EQ(profile->name, name);
    const auto chip = chip::load_chip(profile->chip);
    ASSERT_TRUE(chip.ok()) << chip.error().text();
    EXPECT_TRUE(under(*profile, *chip).ok());
    for (const auto& [field, source] : profile->sources) EXPECT_FALSE(source.empty()) << name << " " << field;
    EXPECT_GT(profile->sources.size(), 5u) << name;
  }
}

TEST(Profile, AbsentLaunchesAreThatOfProducts) {
  const auto profile = parse_profile(start + launch + "softmax = \"2 us\"\n", "p.toml");
  ASSERT_TRUE(profile.ok()) << profile.error().text();
  EXPECT_EQ(profile->launch.softmax, 2'000'000'000);
  EXPECT_EQ(profile->launch.map, 1'000'000'000);
}

struct Bad {
  std::string name, text, code, place, remedy;
};
class HostileProfile : public testing::TestWithParam<Bad> {};

TEST_P(HostileProfile, IsOneClearError) {
  const auto profile = parse_profile(GetParam().text, "p.toml");
  ASSERT_FALSE(profile.ok());
  EXPECT_EQ(profile.error().code, GetParam().code) << profile.error().text();
  EXPECT_NE(profile.error().place.find(GetParam().place), std::string::npos) << profile.error().text();
  EXPECT_NE(profile.error().remedy.find(GetParam().remedy), std::string::npos) << profile.error().text();
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileProfile,
    testing::Values(
        Bad{"missing", start, "profile.missing", "p.toml", "docs/profiles.md"},
        Bad{"unknown", start + launch + "sofmax = \"1 us\"\n", "profile.unknown", "p.toml:6", "launch.softmax"},
        Bad{"unit", start + "[launch]\nmatmul = 3\n", "units.missing", "p.toml:5", "write it like"},
        Bad{"range", start + launch + "[machine]\nmatrix_share = 0\n", "profile.range", "p.toml:7", "at least 0.01"},
        Bad{"word", start + launch + "[softmax]\npasses = \"twice\"\n", "profile.type", "p.toml:7",
            "whole apart again"},
        Bad{"truth", start + launch + "[machine]\nwarm = 1\n", "profile.type", "p.toml:7", ""},
        Bad{"whole", start + launch + "[matmul]\nchunk = 1.5\n", "profile.type", "p.toml:7", ""},
        Bad{"block", start + launch + "[matmul]\ntiles = \"128\"\nchunk = 32\n", "profile.type", "p.toml:7",
            "1 to 65536"},
        Bad{"zero", start + launch + "[matmul]\ntiles = \"0x64\"\nchunk = 32\n", "profile.type", "p.toml:7", "1 to"},
        Bad{"crosses", start + launch + "[matmul]\ntiles = \"64x x64\"\nchunk = 32\n", "profile.type", "p.toml:7", ""},
        Bad{"empty", start + launch + "[matmul]\ntiles = \" \"\nchunk = 32\n", "profile.type", "p.toml:7", ""},
        Bad{"huge", start + launch + "[matmul]\nsplits = \"99999999999999999999\"\n", "profile.type", "p.toml:7", ""},
        Bad{"chunk", start + launch + "[matmul]\ntiles = \"64x64\"\n", "profile.together", "p.toml:7", "matmul.chunk"},
        Bad{"splits", start + launch + "[matmul]\nsplits = \"1 2\"\n", "profile.together", "p.toml:7", "matmul.tiles"},
        Bad{"syntax", start + "[launch\n", "chip.toml", "p.toml", ""}),
    [](const auto& tested) { return tested.param.name; });

TEST(Profile, OfAnotherChipIsRefused) {
  const auto refused = under(*load_profile("tpu-v3-xla"), *chip::load_chip("hadal-1"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "profile.chip");
  EXPECT_NE(refused.error().remedy.find("--chip tpu-v3"), std::string::npos);
}

TEST(Profile, ReferenceIsWhatTheTableSays) {
  const std::string path = HADAL_SOURCE_DIR "/docs/profiles.md";
  if (std::getenv("HADAL_UPDATE")) std::ofstream(path) << profiles_reference();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), profiles_reference()) << "run the tests with HADAL_UPDATE=1 to rewrite docs/profiles.md";
}

struct Timed {
  std::vector<Tensor> values;
  machine::Timing timing;
};

/// A graph's values and time as the profile's software computes them.
Result<Timed> run(const graph::Graph& graph, const std::vector<Tensor>& inputs, const Profile& profile) {
  HADAL_TRY(chip::Chip chip, chip::load_chip(profile.chip));
  HADAL_TRY(chip, under(profile, std::move(chip)));
  Options options;
  options.profile = &profile;
  HADAL_TRY(const isa::Program program, compile(graph, chip, options));
  HADAL_TRY(machine::Timing timing, machine::time_program(program, chip, {}));
  HADAL_TRY(const auto machine, machine::ValueMachine::make(program, chip.cores, {}));
  machine::ValueCounts counts;
  HADAL_TRY(std::vector<Tensor> values, machine->run(inputs, counts));
  return Timed{std::move(values), std::move(timing)};
}

/// The values of every shipped profile's program are those of the graph.
void expect_values(const graph::Graph& graph, const std::vector<Tensor>& inputs, double tolerance) {
  const auto want = graph::evaluate(graph, inputs);
  ASSERT_TRUE(want.ok()) << want.error().text();
  for (const std::string& name : shipped_profiles()) {
    const auto got = run(graph, inputs, *load_profile(name));
    ASSERT_TRUE(got.ok()) << name << ": " << got.error().text();
    SCOPED_TRACE(name);
    expect_close(got->values[0], (*want)[0], tolerance);
  }
}

graph::Graph rows_graph(const graph::Op& op, const Shape& shape, graph::Attributes attributes) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, shape});
  graph.outputs = {(*graph.add(op, {x}, std::move(attributes), {"rows"}))[0]};
  return graph;
}

TEST(Profile, RowsByPassesHaveTheSameValues) {
  for (const int64_t columns : {100, 3000, 20000}) {
    const Shape shape{6, columns};
    const std::vector<Tensor> inputs{numbers(DType::f32, shape)};
    expect_values(rows_graph(graph::ops::softmax, shape, {{"axis", int64_t{1}}}), inputs, 1e-4);
    expect_values(rows_graph(graph::ops::normalize, shape,
                             {{"axes", std::vector<int64_t>{1}}, {"epsilon", 1e-5}, {"kind", "layer"}}),
                  inputs, 1e-3);
  }
}

graph::Graph product(int64_t m, int64_t k, int64_t n) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, {m, k}});
  const graph::ValueId w = graph.add_constant("w", numbers(DType::f32, {k, n}));
  graph.outputs = {(*graph.add(graph::ops::matmul, {x, w}, {}, {"product"}))[0]};
  return graph;
}

TEST(Profile, ProductsInKnownTilesHaveTheSameValues) {
  for (const auto& [m, k, n] : {std::tuple{64, 1152, 200}, std::tuple{700, 130, 530}})
    expect_values(product(m, k, n), {numbers(DType::f32, {m, k})}, 0.3);
}

TEST(Profile, StoredAttentionHasTheSameValues) {
  graph::Graph graph;
  const auto input = [&](const char* name) { return graph.add_input(name, {DType::f32, {3, 150, 32}}); };
  const graph::ValueId q = input("q"), k = input("k"), v = input("v");
  const auto scores = graph.add(graph::ops::matmul, {q, k}, {{"transpose_b", int64_t{1}}}, {"scores"});
  const auto weights = graph.add(graph::ops::softmax, {(*scores)[0]}, {{"axis", int64_t{2}}}, {"softmax"});
  graph.outputs = {(*graph.add(graph::ops::matmul, {(*weights)[0], v}, {}, {"mix"}))[0]};
  std::vector<Tensor> inputs(3, numbers(DType::f32, {3, 150, 32}));
  expect_values(graph, inputs, 2e-2);
}

TEST(Profile, ConvolutionsWithFilledLanesHaveTheSameValues) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {DType::f32, {2, 24, 9, 9}});
  const graph::ValueId w = graph.add_constant("w", numbers(DType::f32, {20, 24, 3, 3}));
  const auto y = graph.add(graph::ops::conv, {x, w},
                           {{"strides", std::vector<int64_t>{1, 1}},
                            {"pads", std::vector<int64_t>{1, 1, 1, 1}},
                            {"dilations", std::vector<int64_t>{1, 1}},
                            {"groups", int64_t{1}}},
                           {"conv"});
  graph.outputs = {(*y)[0]};
  expect_values(graph, {numbers(DType::f32, {2, 24, 9, 9})}, 0.3);
}

TEST(Profile, AStepInShapeIsASmallStepInTime) {
  const Profile profile = *load_profile("tpu-v3-xla");
  double before = 0;
  for (int64_t n = 512; n <= 1536; n += 128) {
    const auto timed = run(product(512, 512, n), {numbers(DType::f32, {512, 512})}, profile);
    ASSERT_TRUE(timed.ok()) << timed.error().text();
    const auto cycles = static_cast<double>(timed->timing.cycles);
    if (before > 0) {
      EXPECT_GT(cycles, before) << n;
      EXPECT_LT(cycles, before * 1.35) << n;
    }
    before = cycles;
  }
}

}  // namespace
}  // namespace hadal::compile
