// Makes an Op of a row of the table of scalar functions: types, broadcasting loops, a fast path for f32.
#pragma once

#include "graph/ops/support.h"

namespace hadal::graph {

/// n results from operands `step` elements apart (0 or more).
using F32Row = void (*)(const float* const operands[3], const int64_t steps[3], int64_t n, double alpha, double beta,
                        float* out);

Result<std::vector<Type>> infer_scalar(const ScalarFunction& row, const OperandTypes& inputs);
std::vector<Tensor> evaluate_scalar(const ScalarFunction& row, F32Row f32_row, const OperandTensors& inputs,
                                    const Attributes& attributes, const Type& result);

/// The compiler inlines `row.evaluate` here, so that f32 runs at the speed of memory.
template <const ScalarFunction& row>
void run_f32_row(const float* const operands[3], const int64_t steps[3], int64_t n, double alpha, double beta,
                 float* out) {
  const auto call = [&](float a, float b) {
    return static_cast<float>(row.evaluate(static_cast<double>(a), static_cast<double>(b), 0, alpha, beta));
  };
  const float* const a = operands[0];
  const float* const b = operands[1];
  if constexpr (row.arity == 1) {
    if (steps[0] == 1) {
      for (int64_t i = 0; i < n; ++i) out[i] = call(a[i], 0);
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = call(a[i * steps[0]], 0);
    }
  } else if (steps[0] == 1 && steps[1] == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = call(a[i], b[i]);
  } else if (steps[0] == 1 && steps[1] == 0) {
    for (int64_t i = 0; i < n; ++i) out[i] = call(a[i], *b);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = call(a[i * steps[0]], b[i * steps[1]]);
  }
}

template <const ScalarFunction& row>
Op scalar_op(std::string_view summary, void (*gradient)(Backward&), const std::vector<std::string_view>& names = {}) {
  return {.name = row.name,
          .summary = summary,
          .attributes = names,
          .infer = [](const OperandTypes& inputs, const Attributes&) { return infer_scalar(row, inputs); },
          .reference =
              [](const OperandTensors& inputs, const Attributes& attributes, const std::vector<Type>& results) {
                constexpr bool fast = row.arity <= 2 && !row.to_bool && row.on_float;
                if constexpr (fast)
                  return evaluate_scalar(row, run_f32_row<row>, inputs, attributes, results[0]);
                else
                  return evaluate_scalar(row, nullptr, inputs, attributes, results[0]);
              },
          .gradient = gradient};
}

}  // namespace hadal::graph
