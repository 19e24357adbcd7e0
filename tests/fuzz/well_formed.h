// Random programs that keep every rule of the instruction set, and are free of races by the way they are made.
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor.h"
#include "isa/program.h"

namespace hadal::fuzz {

/// How the values of the fast kernels and of the exact ones must agree.
struct Bound {
  double most = 0;  ///< 0: equal. Else the largest magnitude that a value, or the terms of its sum, can reach.
};

struct WellFormed {
  isa::Program program;        ///< Canonical. It runs on as many cores as its limits state.
  std::vector<Tensor> inputs;  ///< In the order of its ports, in their stored types.
  std::vector<Bound> bounds;   ///< Of each output.
};

/// The program of a seed: one to three units of work, each a nest of loops around loads, one to three instructions of
/// the engines, and stores.
WellFormed well_formed(uint64_t seed);

}  // namespace hadal::fuzz
