#include "graph/ops/elementwise.h"

#include <array>

namespace hadal::graph {

Result<std::vector<Type>> infer_scalar(const ScalarFunction& row, const OperandTypes& inputs) {
  const auto arity = static_cast<size_t>(row.arity);
  HADAL_CHECK(check_operands(row.name, inputs, arity, arity));
  const bool selects = row.name == "where";
  if (selects && inputs[0]->dtype != DType::boolean)
    return rule("where.condition", "the condition is bool, found {}", name_of(inputs[0]->dtype));
  const DType dtype = inputs[arity - 1]->dtype;
  Shape shape = inputs[0]->shape;
  for (size_t i = 1; i < arity; ++i) {
    HADAL_TRY(shape, broadcast_shapes(fmt::format("{}.broadcast", row.name), shape, inputs[i]->shape));
    if (inputs[i]->dtype != dtype || (!selects && inputs[0]->dtype != dtype))
      return rule(fmt::format("{}.dtype", row.name), "operands are of one type, found {} and {}",
                  name_of(inputs[i - 1]->dtype), name_of(inputs[i]->dtype));
  }
  const bool defined = dtype == DType::boolean ? row.on_bool : is_float(dtype) ? row.on_float : row.integer != nullptr;
  if (!defined) return rule(fmt::format("{}.dtype", row.name), "{} is not defined for {}", row.name, name_of(dtype));
  return std::vector<Type>{{row.to_bool ? DType::boolean : dtype, shape}};
}

namespace {

/// The loop nest of a broadcasting function: axes that all operands step through alike are one.
struct Nest {
  Shape shape;
  std::vector<Integers> strides;
};

Nest nest_of(const OperandTensors& inputs, const Shape& result) {
  std::vector<Integers> full;
  for (const Tensor* x : inputs) full.push_back(broadcast_strides(x->shape, result));
  Nest nest;
  nest.strides.resize(inputs.size());
  for (size_t axis = 0; axis < result.size(); ++axis) {
    if (result[axis] == 1) continue;
    bool joins = !nest.shape.empty();
    for (size_t k = 0; joins && k < full.size(); ++k) joins = nest.strides[k].back() == full[k][axis] * result[axis];
    if (joins) {
      nest.shape.back() *= result[axis];
      for (size_t k = 0; k < full.size(); ++k) nest.strides[k].back() = full[k][axis];
    } else {
      nest.shape.push_back(result[axis]);
      for (size_t k = 0; k < full.size(); ++k) nest.strides[k].push_back(full[k][axis]);
    }
  }
  if (nest.shape.empty()) {
    nest.shape.push_back(1);
    for (Integers& strides : nest.strides) strides.push_back(1);
  }
  return nest;
}

/// Any dtype: rows are widened in chunks, then the function is called on each element.
template <class V, class F>
void run_row(const OperandTensors& inputs, const std::array<int64_t, 3>& starts, const std::array<int64_t, 3>& steps,
             int64_t n, const F& function, DType dtype, std::byte* out, int64_t out_start) {
  constexpr int64_t chunk = 512;
  std::array<std::array<V, chunk>, 3> rows{};
  std::array<V, chunk> results{};
  for (int64_t i = 0; i < n; i += chunk) {
    const int64_t m = std::min(chunk, n - i);
    for (size_t k = 0; k < inputs.size(); ++k)
      read_row(*inputs[k], starts[k] + i * steps[k], steps[k], m, rows[k].data());
    for (int64_t j = 0; j < m; ++j)
      results[index(j)] = function(rows[0][index(j)], rows[1][index(j)], rows[2][index(j)]);
    write_row(dtype, out, out_start + i, m, results.data());
  }
}

}  // namespace

std::vector<Tensor> evaluate_scalar(const ScalarFunction& row, F32Row f32_row, const OperandTensors& inputs,
                                    const Attributes& attributes, const Type& result) {
  Output out(result);
  const int64_t total = elements(result.shape);
  if (total == 0) return {out.tensor};
  const double alpha = attributes.number("alpha", row.alpha), beta = attributes.number("beta", row.beta);
  const Nest nest = nest_of(inputs, result.shape);
  const int64_t n = nest.shape.back();
  std::vector<Integers> outer;
  std::array<int64_t, 3> steps{};
  for (size_t k = 0; k < inputs.size(); ++k) {
    steps[k] = nest.strides[k].back();
    outer.emplace_back(nest.strides[k].begin(), nest.strides[k].end() - 1);
  }
  Walk walk(Shape(nest.shape.begin(), nest.shape.end() - 1), outer);
  const DType dtype = inputs.back()->dtype;
  const bool fast = f32_row && dtype == DType::f32;
  const bool whole = !is_float(dtype) && dtype != DType::boolean;
  for (int64_t start = 0; start < total; start += n, walk.next()) {
    std::array<int64_t, 3> starts{};
    for (size_t k = 0; k < inputs.size(); ++k) starts[k] = walk.offset(k);
    if (fast) {
      std::array<const float*, 3> at{};
      for (size_t k = 0; k < inputs.size(); ++k) at[k] = inputs[k]->as<float>().data() + starts[k];
      f32_row(at.data(), steps.data(), n, alpha, beta, out.as<float>() + start);
    } else if (whole) {
      const auto f = [&](Wide a, Wide b, Wide c) { return row.integer(a, b, c, alpha, beta); };
      run_row<Wide>(inputs, starts, steps, n, f, result.dtype, out.data, start);
    } else {
      const auto f = [&](double a, double b, double c) { return row.evaluate(a, b, c, alpha, beta); };
      run_row<double>(inputs, starts, steps, n, f, result.dtype, out.data, start);
    }
  }
  return {out.tensor};
}

}  // namespace hadal::graph
