// Gradients on the chip: the program that the compiler makes of a case's forward and backward graph, in f32, against
// JAX's in f64.
#include <set>

#include "compile/compiled.h"
#include "graph/gradient_cases.h"

namespace hadal::compile {
namespace {

TEST(CompiledGradient, OfEveryOpEqualsJax) {
  const chip::Chip chip = chip_with();
  std::set<std::string> ops;
  size_t gradients = 0;
  double largest = 0;
  for (const auto& row : graph::golden()) {
    graph::Case at = graph::case_of(row, DType::f32);
    for (graph::ValueId& v : at.graph.outputs)  // An output is what a node makes, and no other output.
      v = (*at.graph.add(graph::ops::reshape, {v}, {{"shape", at.graph.type(v).shape}}, {"output"}))[0];
    const auto results = compiled_values(at.graph, at.operands, chip);
    ASSERT_TRUE(results.ok()) << row["op"] << row["attributes"] << results.error().text();
    size_t next = 1;
    for (const std::vector<double>& wanted : at.wanted) {
      if (wanted.empty()) continue;
      const auto view = (*results)[next++].as<float>();
      const double error = graph::error_of({view.begin(), view.end()}, wanted);
      EXPECT_LE(error, 1e-4) << row["op"] << row["attributes"];
      largest = std::max(largest, error);
      ++gradients;
    }
    ops.insert(row["op"]);
  }
  std::printf("%zu gradients of %zu ops on the chip; largest relative error %.1e of JAX\n", gradients, ops.size(),
              largest);
}

}  // namespace
}  // namespace hadal::compile
