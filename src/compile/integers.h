// Quantised models in integers: bytes in memory, products of bytes, one scale behind each product.
#pragma once

#include "chip/chip.h"
#include "graph/graph.h"

namespace hadal::compile {

/// Rewrites what stands between dequantize and quantize:
/// - conv and matmul of dequantised operands, if the chip's array multiplies their types, become products of bytes with
///   sums in i32, whose zero points and bias are added to the sums, and one factor in f32: docs/numerics.md;
/// - movements and the largest of windows work on the bytes;
/// - a quantize behind a product takes its scale into the factor; ReLU and clip become bounds of the integers.
/// What is left is spelled out as element-wise ops: no dequantize or quantize remains.
/// Errors: of Graph::add (a rule that makes an ill-typed node is a defect of the rule).
Status use_integers(graph::Graph& graph, const chip::Chip& chip);

}  // namespace hadal::compile
