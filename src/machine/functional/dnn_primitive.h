// The oneDNN primitive of a matrix instruction. With dnn.cpp, what alone sees oneDNN's headers.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <vector>

#include "base/dtype.h"
#include "machine/functional/dnn_shapes.h"
#include "machine/functional/matrix.h"

namespace hadal::machine {

/// A primitive with what it wants of its memory; shared by the threads.
struct Primitive {
  dnnl::primitive primitive;  ///< Empty where oneDNN has no good implementation.
  dnnl::memory::desc a, b, out, bias, scratchpad;
  dnnl::memory::desc b_plain;  ///< The weights as the program holds them,
  dnnl::memory::desc b_dense;  ///< and without holes, where oneDNN repacks them from there alone; else empty.
  DType a_type = DType::f32, b_type = DType::f32;
  bool round = false;                  ///< Operands are rounded to bf16, and multiplied as f32.
  bool shifted = false;                ///< i8 as u8, 128 higher, pads included; see `unshift`.
  bool packs = false;                  ///< Weights are laid out as the primitive likes.
  std::optional<size_t> bias_operand;  ///< Of the epilogue.
  struct Binary {
    int position;    ///< Among the post-operations.
    size_t operand;  ///< Of the epilogue.
    dnnl::memory::desc desc;
  };
  std::vector<Binary> binaries;
};

/// Whether oneDNN can repack the weights in the type that the program holds them in.
bool reads_weights(const MatrixCall& m, const Primitive& p);

/// Whether the first operand is converted, into a dense buffer.
bool copies_a(const MatrixCall& m, const Primitive& p);

/// The first of the ways to multiply these operand types that oneDNN has a good implementation of.
Primitive make_primitive(const dnnl::engine& engine, const MatrixCall& m, MatrixMode mode);

}  // namespace hadal::machine
