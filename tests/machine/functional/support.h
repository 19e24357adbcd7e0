// One instruction on random tensors, run by the fast kernels and by the exact ones.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "machine/functional/run.h"
#include "machine/program_builder.h"

namespace hadal::machine {

inline std::mt19937& generator() {
  static std::mt19937 random(7);
  return random;
}

/// Floats of the normal distribution; integers evenly from [low, high].
inline Tensor random_tensor(DType dtype, const Shape& shape, double low = -100, double high = 100) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(dtype, shape, data);
  std::normal_distribution<double> normal;
  std::uniform_int_distribution<int64_t> integer(static_cast<int64_t>(low), static_cast<int64_t>(high));
  for (int64_t i = 0; i < elements(shape); ++i)
    store_number(dtype, data + i * bytes_of(dtype),
                 is_float(dtype) ? normal(generator()) : static_cast<double>(integer(generator())));
  return tensor;
}

inline int64_t real(float value) { return std::bit_cast<uint32_t>(value); }

inline std::vector<Tensor> run_program(const isa::Program& program, const std::vector<Tensor>& inputs,
                                       const ValueOptions& options, ValueCounts* counts = nullptr, int64_t cores = 1) {
  ValueCounts own;
  auto machine = ValueMachine::make(program, cores, options);
  if (!machine) {
    ADD_FAILURE() << machine.error().text();
    return {};
  }
  auto outputs = (*machine)->run(inputs, counts ? *counts : own);
  if (!outputs) {
    ADD_FAILURE() << outputs.error().text();
    return {};
  }
  return *outputs;
}

/// The error of a program that must fail, while it is made or run.
inline std::string error_code(const isa::Program& program, const std::vector<Tensor>& inputs,
                              const ValueOptions& options = {}, int64_t cores = 1) {
  auto machine = ValueMachine::make(program, cores, options);
  if (!machine) return machine.error().code;
  ValueCounts counts;
  auto outputs = (*machine)->run(inputs, counts);
  return outputs ? "" : outputs.error().code;
}

/// Equal to a tolerance relative to the larger magnitude of the reference, per tensor where `scaled`.
inline void expect_close(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.shape, want.shape) << what;
  double scale = 0;
  for (int64_t i = 0; i < want.size(); ++i)
    if (const double v = std::fabs(number_at(want, i)); std::isfinite(v)) scale = std::max(scale, v);
  for (int64_t i = 0; i < want.size(); ++i) {
    const double a = number_at(got, i), b = number_at(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::fabs(a - b), tolerance * std::max(scale, 1e-30))
        << what << ": element " << i << " is " << a << ", not " << b;
  }
}

struct Operation {
  isa::Opcode op = isa::Opcode::halt;
  std::vector<Tensor> inputs;  ///< Operands after the written ones; an empty dtype-less shape {-1} is left out.
  std::vector<std::pair<DType, Shape>> outputs;
  ProgramBuilder::Fields fields;
  std::vector<size_t> constant = {};  ///< Inputs that are weights.
  bool round_to_bf16 = false;
};

inline Tensor absent() { return Tensor{DType::u8, {-1}, {}}; }

/// `prepare` may add chains and tables before the instruction, and returns fields to add.
template <class Prepare>
std::vector<Tensor> run_operation(const Operation& operation, bool exact, const Prepare& prepare, bool bind = true) {
  ProgramBuilder b;
  ProgramBuilder::Fields fields = operation.fields;
  for (const auto& field : prepare(b)) fields.push_back(field);
  std::vector<uint16_t> operands, outputs;
  std::vector<Tensor> inputs;
  for (const auto& [dtype, shape] : operation.outputs) operands.push_back(b.view(b.buffer(dtype, shape), shape));
  for (size_t i = 0; i < operation.inputs.size(); ++i) {
    const Tensor& tensor = operation.inputs[i];
    if (tensor.shape == Shape{-1}) {
      operands.push_back(isa::no_view);
      continue;
    }
    const bool constant =
        std::find(operation.constant.begin(), operation.constant.end(), i) != operation.constant.end();
    if (!constant) inputs.push_back(tensor);
    operands.push_back(b.load(constant ? b.weight(tensor) : b.input(tensor.dtype, tensor.shape)));
  }
  b.add(operation.op, operands, fields);
  for (size_t i = 0; i < operation.outputs.size(); ++i)
    b.add(isa::Opcode::store,
          {b.whole(b.output(operation.outputs[i].first, operation.outputs[i].second)), operands[i]});
  ValueOptions options;
  options.exact = exact;
  options.bind_loads = bind;
  options.round_products_to_bf16 = operation.round_to_bf16;
  return run_program(b.finish(), inputs, options);
}

inline ProgramBuilder::Fields nothing(ProgramBuilder&) { return {}; }

template <class Prepare>
void expect_fast_is_exact(const Operation& operation, double tolerance, const std::string& what,
                          const Prepare& prepare) {
  const auto want = run_operation(operation, true, prepare), got = run_operation(operation, false, prepare);
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < want.size(); ++i) expect_close(got[i], want[i], tolerance, what);
}
inline void expect_fast_is_exact(const Operation& operation, double tolerance, const std::string& what) {
  expect_fast_is_exact(operation, tolerance, what, nothing);
}

}  // namespace hadal::machine
