// Golden text of each rewrite, and a check that it kept what the graph computes.
#include "graph/simplify.h"

#include "graph/helpers.h"

namespace hadal::graph {
namespace {

using Integers = std::vector<int64_t>;

class Simplify : public testing::Test {
 protected:
  ValueId input(const char* name, Shape shape, DType dtype = DType::f32) {
    return graph.add_input(name, {dtype, std::move(shape)});
  }
  ValueId constant(const char* name, Shape shape, const std::vector<float>& values) {
    return graph.add_constant(name, floats(std::move(shape), values));
  }
  ValueId number(float value) {
    return graph.add_constant("number" + std::to_string(graph.values.size()), floats({}, {value}));
  }
  /// A node named n1, n2, ... in the order in which they are made.
  ValueId node(const Op& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    auto made = graph.add(op, std::move(inputs), std::move(attributes), {"n" + std::to_string(++count)});
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
    graph.outputs = {(*made)[0]};
    return (*made)[0];
  }
  std::vector<Tensor> values() const {
    std::vector<Tensor> inputs;
    for (const ValueId v : graph.inputs) {
      std::vector<float> data;
      for (int64_t i = 0; i < elements(graph.type(v).shape); ++i)
        data.push_back(static_cast<float>((i * 37) % 19) / 5 - 1.7f);
      inputs.push_back(cast(floats(graph.type(v).shape, data), graph.type(v).dtype));
    }
    auto out = evaluate(graph, inputs);
    EXPECT_TRUE(out.ok()) << (out.ok() ? "" : out.error().text());
    return out.ok() ? *out : std::vector<Tensor>{};
  }
  /// Simplifies, checks that the values stay, and gives the nodes' lines.
  std::string simplified() {
    graph.value(graph.outputs[0]).name = "out";
    const std::vector<Tensor> before = values();
    const Status status = simplify(graph);
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().text());
    const Status sound = verify(graph);
    EXPECT_TRUE(sound.ok()) << (sound.ok() ? "" : sound.error().text());
    const std::vector<Tensor> after = values();
    for (size_t i = 0; i < before.size(); ++i) {
      std::vector<double> expected;
      for (int64_t k = 0; k < before[i].size(); ++k) expected.push_back(number_at(before[i], k));
      expect_values(after[i], before[i].shape, expected, 1e-5);
    }
    EXPECT_EQ(graph.value(graph.outputs[0]).name, "out");
    std::string lines;
    const std::string text = text_of(graph);
    for (size_t start = 0; start < text.size();) {
      const size_t end = text.find('\n', start);
      const std::string line = text.substr(start, end - start);
      if (line.find(" = ") != std::string::npos) lines += line + "\n";
      start = end + 1;
    }
    return lines;
  }

  Graph graph;
  int count = 0;
};

TEST_F(Simplify, TwoTransposesAreOneOrNone) {
  const ValueId x = input("x", {2, 3, 4});
  const ValueId once = node(ops::transpose, {x}, {{"order", Integers{1, 2, 0}}});
  const ValueId twice = node(ops::transpose, {once}, {{"order", Integers{1, 0, 2}}});
  node(ops::relu, {twice});
  EXPECT_EQ(simplified(),
            "  %n2#1: f32[4,3,2] = transpose(%x) order=[2,1,0]  # n2, n1\n"
            "  %out: f32[4,3,2] = relu(%n2#1)  # n3\n");
}

TEST_F(Simplify, ReshapesCollapseAndIdentitiesGo) {
  const ValueId x = input("x", {2, 6});
  const ValueId a = node(ops::reshape, {x}, {{"shape", Integers{3, 4}}});
  const ValueId b = node(ops::reshape, {a}, {{"shape", Integers{12}}});
  const ValueId c = node(ops::mul, {b, number(1)});
  const ValueId d = node(ops::cast, {c}, {{"to", "f32"}});
  node(ops::relu, {d});
  EXPECT_EQ(simplified(),
            "  %n2#1: f32[12] = reshape(%x) shape=[12]  # n2, n1, n3, n4\n"
            "  %out: f32[12] = relu(%n2#1)  # n5\n");
}

TEST_F(Simplify, AddingZeroToFloatsStays) {
  node(ops::add, {input("x", {2}), number(0)});
  EXPECT_EQ(simplified(), "  %out: f32[2] = add(%x, %number1)  # n1\n");  // -0 + 0 is +0
}

TEST_F(Simplify, AnOutputKeepsItsNameAndIsMadeByANode) {
  node(ops::mul, {input("x", {2}), number(1)});
  EXPECT_EQ(simplified(), "  %out: f32[2] = mul(%x, %number1)  # n1\n");  // An input cannot be an output.
}

TEST_F(Simplify, BatchNormIsFoldedIntoTheConvolution) {
  const ValueId x = input("x", {1, 1, 3, 3}), w = constant("w", {2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const ValueId conv = node(ops::conv, {x, w});
  const ValueId scaled = node(ops::mul, {conv, constant("s", {2, 1, 1}, {2, -3})});
  const ValueId shifted = node(ops::add, {scaled, constant("t", {2, 1, 1}, {0.5f, 7})});
  node(ops::relu, {shifted});
  EXPECT_EQ(simplified(),
            "  %n3#1: f32[1,2,2,2] = conv(%x, %n2#3, %n3#4)  # n3, n1, n2\n"
            "  %out: f32[1,2,2,2] = relu(%n3#1)  # n4\n");
}

TEST_F(Simplify, ATransposedConvolutionWithoutOverlapsIsOneByPixelsForEachTap) {
  std::vector<float> weights(2 * 3 * 1 * 2);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i) / 7 - 1;
  const ValueId x = input("x", {2, 2, 3, 2}), w = constant("w", {2, 3, 1, 2}, weights);
  node(ops::conv_transpose, {x, w, constant("b", {3}, {1, -2, 3})}, {{"strides", Integers{1, 2}}});
  const std::string text = simplified();
  EXPECT_EQ(text.find("conv_transpose"), std::string::npos) << text;
  EXPECT_NE(text.find("%out: f32[2,3,3,4] = reshape("), std::string::npos) << text;
}

TEST_F(Simplify, ATransposedConvolutionWithOverlapsStays) {
  const ValueId x = input("x", {1, 1, 3}), w = constant("w", {1, 1, 3}, {1, 2, 3});
  node(ops::conv_transpose, {x, w}, {{"strides", Integers{2}}});
  EXPECT_NE(simplified().find("conv_transpose"), std::string::npos);
}

TEST_F(Simplify, AConvolutionWithAnotherReaderKeepsItsWeights) {
  const ValueId x = input("x", {1, 1, 3, 3}), w = constant("w", {1, 1, 2, 2}, {1, 2, 3, 4});
  const ValueId conv = node(ops::conv, {x, w});
  const ValueId scaled = node(ops::mul, {conv, constant("s", {1, 1, 1}, {2})});
  node(ops::add, {scaled, conv});
  const std::string text = simplified();
  EXPECT_NE(text.find("= mul("), std::string::npos) << text;
}

TEST_F(Simplify, FoldingWithoutBytesGivesTheSameGraph) {
  const auto build = [](bool data) {
    Graph g;
    const auto weights = [&](const char* name, Shape shape) {
      std::vector<float> values(static_cast<size_t>(elements(shape)), 0.25f);
      Tensor tensor = floats(shape, values);
      if (!data) tensor.bytes = {};
      return g.add_constant(name, tensor);
    };
    const ValueId x = g.add_input("x", {DType::f32, {1, 64, 8, 8}});
    const ValueId conv = (*g.add(ops::conv, {x, weights("w", {64, 64, 3, 3})}, {}, {"conv"}))[0];
    const ValueId scaled = (*g.add(ops::mul, {conv, weights("s", {64, 1, 1})}, {}, {"scale"}))[0];
    g.outputs = {(*g.add(ops::add, {scaled, weights("t", {64, 1, 1})}, {}, {"shift"}))[0]};
    EXPECT_TRUE(simplify(g).ok());
    return text_of(g);
  };
  EXPECT_EQ(build(true), build(false));
}

TEST_F(Simplify, LayerNormalisation) {
  const ValueId x = input("x", {2, 4});
  const Attributes mean{{"kind", "mean"}, {"axes", Integers{1}}, {"keep", int64_t{1}}};
  const ValueId centred = node(ops::sub, {x, node(ops::reduce, {x}, mean)});
  const ValueId variance = node(ops::reduce, {node(ops::pow, {centred, number(2)})}, mean);
  const ValueId deviation = node(ops::sqrt, {node(ops::add, {variance, number(1e-5f)})});
  const ValueId scaled = node(ops::mul, {node(ops::div, {centred, deviation}), constant("scale", {4}, {1, 2, 3, 4})});
  node(ops::add, {scaled, constant("bias", {4}, {4, 3, 2, 1})});
  EXPECT_EQ(simplified(),
            "  %out: f32[2,4] = normalize(%x, %scale, %bias) axes=[1] epsilon=9.999999747378752e-06 kind=layer  # n9, "
            "n6, n5, n4, n3, n2, n1, n7, n8\n");
}

TEST_F(Simplify, AVarianceOfOnePassStaysAsItIs) {
  const ValueId x = input("x", {2, 4});
  const Attributes sum{{"kind", "sum"}, {"axes", Integers{1}}, {"keep", int64_t{0}}};
  const ValueId mean = node(ops::mul, {node(ops::reduce, {x}, sum), number(0.25f)});
  const ValueId squares = node(ops::mul, {node(ops::reduce, {node(ops::mul, {x, x})}, sum), number(0.25f)});
  const ValueId variance = node(ops::max, {node(ops::sub, {squares, node(ops::mul, {mean, mean})}), number(0)});
  const ValueId column = node(ops::reshape, {variance}, {{"shape", Integers{2, 1}}});
  const ValueId inverse = node(ops::rsqrt, {node(ops::add, {column, number(1e-3f)})});
  const ValueId centred = node(ops::sub, {x, node(ops::reshape, {mean}, {{"shape", Integers{2, 1}}})});
  node(ops::mul, {centred, node(ops::mul, {inverse, constant("scale", {1, 4}, {1, 2, 3, 4})})});
  const std::string text = simplified();
  EXPECT_EQ(text.find("normalize"), std::string::npos) << text;
}

TEST_F(Simplify, RmsNormalisation) {
  const ValueId x = input("x", {2, 4});
  const ValueId square =
      node(ops::reduce, {node(ops::mul, {x, x})}, {{"kind", "mean"}, {"axes", Integers{1}}, {"keep", int64_t{1}}});
  node(ops::mul, {x, node(ops::rsqrt, {node(ops::add, {square, number(1e-6f)})})});
  const std::string text = simplified();
  EXPECT_NE(text.find("= normalize(%x) axes=[1]"), std::string::npos) << text;
  EXPECT_NE(text.find("kind=rms"), std::string::npos) << text;
}

TEST_F(Simplify, GeluInBothOrders) {
  for (const bool halved_first : {true, false}) {
    graph = {};
    count = 0;
    const ValueId x = input("x", {8});
    const ValueId bell = node(ops::add, {node(ops::erf, {node(ops::div, {x, number(1.41421356f)})}), number(1)});
    if (halved_first)
      node(ops::mul, {node(ops::mul, {x, number(0.5f)}), bell});
    else
      node(ops::mul, {node(ops::mul, {x, bell}), number(0.5f)});
    EXPECT_EQ(simplified().substr(0, 28), "  %out: f32[8] = gelu(%x)  #");
  }
}

TEST_F(Simplify, GeluByTanh) {
  const ValueId x = input("x", {8});
  const ValueId cube = node(ops::pow, {x, number(3)});
  const ValueId inner = node(ops::add, {x, node(ops::mul, {cube, number(0.044715f)})});
  const ValueId bell = node(ops::add, {node(ops::tanh, {node(ops::mul, {inner, number(0.797884561f)})}), number(1)});
  node(ops::mul, {node(ops::mul, {x, number(0.5f)}), bell});
  EXPECT_EQ(simplified().substr(0, 32), "  %out: f32[8] = gelu_tanh(%x)  ");
}

TEST_F(Simplify, SiluAndHardSwish) {
  const ValueId x = input("x", {8});
  const ValueId silu = node(ops::mul, {x, node(ops::sigmoid, {x})});
  const ValueId clipped = node(ops::clip, {node(ops::add, {silu, number(3)})}, {{"alpha", 0.0}, {"beta", 6.0}});
  node(ops::div, {node(ops::mul, {silu, clipped}), number(6)});
  EXPECT_EQ(simplified(),
            "  %n2#1: f32[8] = silu(%x)  # n2, n1\n"
            "  %out: f32[8] = hard_swish(%n2#1)  # n6, n5, n4, n3\n");
}

TEST_F(Simplify, SoftmaxFromItsPieces) {
  const ValueId x = input("x", {2, 4});
  const auto along = [](const char* kind) {
    return Attributes{{"kind", kind}, {"axes", Integers{1}}, {"keep", int64_t{1}}};
  };
  const ValueId raised = node(ops::exp, {node(ops::sub, {x, node(ops::reduce, {x}, along("max"))})});
  node(ops::div, {raised, node(ops::reduce, {raised}, along("sum"))});
  EXPECT_EQ(simplified(), "  %out: f32[2,4] = softmax(%x) axis=1 log=0  # n5, n4, n3, n2, n1\n");
}

TEST_F(Simplify, ATransposedKeyBecomesAFlag) {
  const ValueId q = input("q", {1, 2, 3, 4}), k = input("k", {1, 5, 2, 4});
  node(ops::matmul, {q, node(ops::transpose, {k}, {{"order", Integers{0, 2, 3, 1}}})});
  EXPECT_EQ(simplified(),
            "  %n1#3: f32[1,2,5,4] = transpose(%k) order=[0,2,1,3]  # n1\n"
            "  %out: f32[1,2,3,5] = matmul(%q, %n1#3) transpose_b=1  # n2, n1\n");
}

TEST_F(Simplify, AChannelShuffleIsASlice) {
  const ValueId x = input("x", {1, 6, 2, 2});
  const ValueId apart = node(ops::reshape, {x}, {{"shape", Integers{3, 2, 4}}});
  const ValueId moved = node(ops::transpose, {apart}, {{"order", Integers{1, 0, 2}}});
  const ValueId joined = node(ops::reshape, {moved}, {{"shape", Integers{2, 1, 3, 2, 2}}});
  const ValueId half =
      node(ops::slice, {joined},
           {{"starts", Integers{1, 0, 0, 0, 0}}, {"steps", Integers(5, 1)}, {"sizes", Integers{1, 1, 3, 2, 2}}});
  node(ops::relu, {node(ops::reshape, {half}, {{"shape", Integers{1, 3, 2, 2}}})});
  const std::string text = simplified();
  EXPECT_NE(text.find("= slice(%x) sizes=[1,3,2,2] starts=[0,1,0,0] steps=[1,2,1,1]"), std::string::npos) << text;
  EXPECT_EQ(text.find("transpose"), std::string::npos) << text;
  EXPECT_EQ(text.find("reshape("), std::string::npos) << text;
}

TEST_F(Simplify, EqualNodesAreOne) {
  const ValueId x = input("x", {4});
  node(ops::mul, {node(ops::exp, {x}), node(ops::exp, {x})});
  EXPECT_EQ(simplified(),
            "  %n1#1: f32[4] = exp(%x)  # n1, n2\n"
            "  %out: f32[4] = mul(%n1#1, %n1#1)  # n3\n");
}

TEST_F(Simplify, PadsJoinTheConvolution) {
  const ValueId x = input("x", {1, 1, 3, 3}), w = constant("w", {1, 1, 2, 2}, {1, 2, 3, 4});
  const ValueId padded =
      node(ops::pad, {x},
           {{"low", Integers{0, 0, 1, 0}}, {"high", Integers{0, 0, 0, 2}}, {"mode", "constant"}, {"value", 0.0}});
  node(ops::conv, {padded, w}, {{"pads", Integers{0, 1, 0, 0}}});
  EXPECT_EQ(simplified(), "  %out: f32[1,1,3,5] = conv(%x, %w) pads=[1,1,0,2]  # n2, n1\n");
}

TEST_F(Simplify, ALongChainNeedsNoRecursion) {
  ValueId v = input("x", {2, 3});
  for (int i = 0; i < 30000; ++i) v = node(ops::reshape, {v}, {{"shape", i % 2 ? Integers{2, 3} : Integers{3, 2}}});
  node(ops::relu, {v});
  ASSERT_TRUE(simplify(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 1u);
  EXPECT_TRUE(verify(graph).ok());
}

}  // namespace
}  // namespace hadal::graph
