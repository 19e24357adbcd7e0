// Signed bytes as unsigned ones, 128 higher: the form whose sums oneDNN keeps exact at any depth.
#pragma once

#include <cstdint>
#include <vector>

#include "machine/functional/matrix.h"
#include "machine/functional/worker.h"

namespace hadal::machine {

/// The first operand shifted, with its pads: 128 stands for 0.
std::byte* shifted_bytes(const MatrixCall& matrix, Buffer& buffer);
/// 128 times the sum of each output channel's weights, batch by batch: what the shift adds to each sum.
std::vector<int32_t> shifted_column_sums(const MatrixCall& matrix);
/// Takes that out of the sums (i32, row-major as the instruction's `out`).
void unshift(const MatrixCall& matrix, const std::vector<int32_t>& column_sums, std::byte* sums);

}  // namespace hadal::machine
