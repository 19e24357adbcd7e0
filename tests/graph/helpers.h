// Small graphs and tensors for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "graph/ops.h"

namespace hadal::graph {

inline Tensor floats(Shape shape, const std::vector<float>& values) {
  return Tensor::of(DType::f32, std::move(shape), values);
}
inline Tensor integers(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::of(DType::i64, std::move(shape), values);
}

/// The results of one op, through infer and reference. Fails the test if infer refuses.
inline std::vector<Tensor> run(const Op& op, const std::vector<Tensor>& inputs, const Attributes& attributes = {}) {
  std::vector<Type> types;
  std::vector<const Type*> type_list;
  std::vector<const Tensor*> operands;
  types.reserve(inputs.size());
  for (const Tensor& x : inputs) {
    types.push_back({x.dtype, x.shape});
    type_list.push_back(&types.back());
    operands.push_back(&x);
  }
  const auto inferred = op.infer(type_list, attributes);
  EXPECT_TRUE(inferred.ok()) << (inferred.ok() ? "" : inferred.error().text());
  if (!inferred.ok()) return {};
  std::vector<Tensor> results = op.reference(operands, attributes, *inferred);
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ((Type{results[i].dtype, results[i].shape}), (*inferred)[i]) << op.name;
  return results;
}

/// The code of the rule by which `op` refuses operands of these types.
inline std::string refusal(const Op& op, const std::vector<Type>& types, const Attributes& attributes = {}) {
  std::vector<const Type*> list;
  for (const Type& type : types) list.push_back(&type);
  const auto inferred = op.infer(list, attributes);
  return inferred.ok() ? "accepted" : inferred.error().code;
}

/// Shape and values; NaN equals NaN.
inline void expect_values(const Tensor& got, const Shape& shape, const std::vector<double>& values,
                          double tolerance = 1e-6) {
  EXPECT_EQ(got.shape, shape);
  ASSERT_EQ(got.size(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = number_at(got, static_cast<int64_t>(i));
    if (std::isfinite(values[i]))
      EXPECT_NEAR(value, values[i], tolerance * std::max(1.0, std::fabs(values[i]))) << "element " << i;
    else
      EXPECT_TRUE(std::isnan(values[i]) ? std::isnan(value) : value == values[i]) << "element " << i << " is " << value;
  }
}

}  // namespace hadal::graph
