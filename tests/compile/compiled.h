// Small graphs, compiled and run: for tests of what the compiler makes of them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "chip/chip.h"
#include "compile/compile.h"
#include "graph/graph.h"
#include "machine/functional/run.h"

namespace hadal::compile {

/// The flagship, with another scratchpad if `bytes` are given.
inline chip::Chip chip_with(int64_t bytes = 0) {
  chip::Chip chip = *chip::load_chip("hadal-1");
  if (bytes > 0) chip.scratchpad.bytes = bytes;
  return chip;
}

/// What the program that the compiler makes of a graph computes.
inline Result<std::vector<Tensor>> compiled_values(const graph::Graph& graph, const std::vector<Tensor>& inputs,
                                                   const chip::Chip& chip) {
  HADAL_TRY(const isa::Program program, compile(graph, chip, {}));
  HADAL_TRY(const auto machine, machine::ValueMachine::make(program, chip.cores, {}));
  machine::ValueCounts counts;
  return machine->run(inputs, counts);
}

/// Numbers from -4 to 4 in steps of 1/8, so that some are equal.
inline Tensor numbers(DType dtype, const Shape& shape, double mean = 0) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> eighths(-32, 32);
  std::byte* data = nullptr;
  Tensor tensor = Tensor::zeros(dtype, shape, data);
  for (int64_t i = 0; i < tensor.size(); ++i)
    store_number(dtype, data + i * bytes_of(dtype), mean + eighths(random) / 8.0);
  return tensor;
}

/// Equal to `tolerance` of what is wanted, or of 1 where that is less; NaN equals NaN.
inline void expect_close(const Tensor& got, const Tensor& want, double tolerance) {
  ASSERT_EQ(got.dtype, want.dtype);
  ASSERT_EQ(got.shape, want.shape);
  for (int64_t i = 0; i < want.size(); ++i) {
    const double g = number_at(got, i), w = number_at(want, i);
    if (g == w || (std::isnan(g) && std::isnan(w)) || std::fabs(g - w) <= tolerance * std::max(1.0, std::fabs(w)))
      continue;
    FAIL() << "element " << i << " is " << g << ", not " << w;
  }
}

}  // namespace hadal::compile
