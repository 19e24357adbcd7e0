// Gradients of every op, against JAX's (tests/data/gradients.json, which bench/gradients/golden.py writes) and against
// finite differences of the plain reference.
#include <gtest/gtest.h>

#include <set>

#include "graph/gradient_cases.h"

namespace hadal::graph {
namespace {

std::vector<double> values_of(const Tensor& tensor) {
  const auto view = tensor.as<double>();
  return {view.begin(), view.end()};
}

std::vector<double> differences(const Case& at, size_t operand) {
  constexpr double h = 1e-6;
  std::vector<double> out;
  for (size_t i = 0; i < at.wanted[operand].size(); ++i) {
    const auto loss = [&](double step) {
      std::vector<Tensor> moved = at.operands;
      std::vector<double> values = values_of(moved[operand]);
      values[i] += step;
      moved[operand] = Tensor::of(DType::f64, moved[operand].shape, values);
      return number_at((*evaluate(at.graph, moved))[0], 0);
    };
    out.push_back((loss(h) - loss(-h)) / (2 * h));
  }
  return out;
}

TEST(Gradient, OfEveryOpEqualsJaxAndFiniteDifferences) {
  std::set<std::string> ops;
  size_t cases = 0, gradients = 0;
  double from_jax = 0, from_differences = 0;
  for (const auto& row : golden()) {
    const Case at = case_of(row, DType::f64);
    const auto verified = verify(at.graph);
    ASSERT_TRUE(verified.ok()) << row.dump() << verified.error().text();
    const auto results = evaluate(at.graph, at.operands);
    ASSERT_TRUE(results.ok()) << row["op"] << results.error().text();
    size_t next = 1;
    for (size_t operand = 0; operand < at.operands.size(); ++operand) {
      if (at.wanted[operand].empty()) continue;
      const Tensor& result = (*results)[next++];
      const std::vector<double> got = values_of(result);
      const double jax = error_of(got, at.wanted[operand]);
      const double difference = error_of(got, differences(at, operand));
      EXPECT_LE(jax, 1e-7) << row["op"] << row["attributes"] << " operand " << operand;
      EXPECT_LE(difference, 1e-5) << row["op"] << row["attributes"] << " operand " << operand;
      from_jax = std::max(from_jax, jax);
      from_differences = std::max(from_differences, difference);
      ++gradients;
    }
    ops.insert(row["op"]);
    ++cases;
  }
  std::printf("%zu gradients in %zu cases of %zu ops; largest relative error %.1e of JAX, %.1e of differences\n",
              gradients, cases, ops.size(), from_jax, from_differences);
  for (const Op* op : all_ops()) {
    const bool covered = !op->gradient || ops.contains(std::string(op->name));
    EXPECT_TRUE(covered) << op->name << " has no case";
  }
}

}  // namespace
}  // namespace hadal::graph
