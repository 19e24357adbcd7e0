// The cases of tests/data/gradients.json, which bench/gradients/golden.py writes, as graphs.
#pragma once

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "graph/differentiate.h"
#include "graph/ops.h"
#include "graph/term.h"

namespace hadal::graph {

inline constexpr uint32_t upstream = 99;  ///< The operand number of what the first result is multiplied by.

/// The formula of bench/gradients/golden.py.
inline Tensor numbers(DType dtype, const Shape& shape, uint32_t operand, double low, double high) {
  std::vector<double> values;
  for (int64_t i = 0; i < elements(shape); ++i) {
    auto u = static_cast<uint32_t>(i) * 2654435761u + operand * 40503u + 12345u;
    for (int round = 0; round < 2; ++round) u = (u ^ (u >> 16)) * 0x45D9F3Bu;
    values.push_back(low + (high - low) * (static_cast<double>(u ^ (u >> 16)) / 0x1p32));
  }
  return hadal::cast(Tensor::of(DType::f64, shape, values), dtype);
}

inline Attributes attributes_of(const nlohmann::json& row) {
  Attributes out;
  for (const auto& [name, value] : row.items()) {
    if (value.is_number_integer())
      out.set(name, value.get<int64_t>());
    else if (value.is_number())
      out.set(name, value.get<double>());
    else if (value.is_string())
      out.set(name, value.get<std::string>());
    else if (!value.empty() && value[0].is_number_float())
      out.set(name, value.get<std::vector<double>>());
    else
      out.set(name, value.get<Integers>());
  }
  return out;
}

/// A case as a graph: the loss, and behind it the gradients of the float operands.
struct Case {
  Graph graph;
  std::vector<Tensor> operands;
  std::vector<std::vector<double>> wanted;  ///< By operand; empty of integers.
};

/// Floats are of `dtype`.
inline Case case_of(const nlohmann::json& row, DType dtype) {
  Case out;
  Builder b;
  b.begin_origin("case");
  Values operands, floats;
  for (const auto& given : row["operands"]) {
    const auto number = static_cast<uint32_t>(operands.size());
    const auto shape = given["shape"].get<Shape>();
    const bool is_float = given.contains("gradient");
    Tensor value = is_float ? numbers(dtype, shape, number, given["low"], given["high"])
                            : Tensor::of(DType::i64, shape, given["integers"].get<Integers>());
    if (row["op"] == "where" && !is_float) value = hadal::cast(value, DType::boolean);
    operands.push_back(b.graph.add_input(fmt::format("x{}", number), {value.dtype, shape}));
    if (is_float) floats.push_back(operands.back());
    out.operands.push_back(value);
    out.wanted.push_back(is_float ? given["gradient"].get<std::vector<double>>() : std::vector<double>{});
  }
  const ValueId y = b.make_all(*op_named(row["op"].get<std::string>()), operands, attributes_of(row["attributes"]))[0];
  const Term weighted = Term{&b, y}.as(dtype) * Term{&b, b.constant(numbers(dtype, b.shape(y), upstream, -1, 1))};
  Integers axes(b.shape(y).size());
  std::iota(axes.begin(), axes.end(), 0);
  const ValueId loss = weighted.reduced("sum", axes, false).id;
  b.graph.outputs = {loss};
  const Values gradients = differentiate(b, loss, floats);
  for (size_t i = 0; i < floats.size(); ++i)  // An operand that no gradient reaches has none: zero.
    b.graph.outputs.push_back(gradients[i] == absent ? b.constant(filled(dtype, b.shape(floats[i]), 0)) : gradients[i]);
  out.graph = std::move(b.graph);
  return out;
}

/// The largest difference, relative to the largest gradient (of all below 1, to 1).
inline double error_of(const std::vector<double>& got, const std::vector<double>& want) {
  if (got.size() != want.size()) return INFINITY;
  double largest = 1, error = 0;
  for (const double w : want) largest = std::max(largest, std::fabs(w));
  for (size_t i = 0; i < want.size(); ++i) {
    const double d = std::fabs(got[i] - want[i]);
    error = std::max(error, std::isfinite(d) ? d : INFINITY);
  }
  return error / largest;
}

inline nlohmann::json golden() {
  std::ifstream file(std::string(HADAL_SOURCE_DIR) + "/tests/data/gradients.json");
  return nlohmann::json::parse(file);
}

}  // namespace hadal::graph
