// Element-wise chains: how the steps are laid out over buffers, and the interpreter that runs them block by block.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "isa/program.h"
#include "machine/functional/copy.h"

namespace hadal::machine {

class Worker;

/// Elements of one block: operands of a step stay in the first cache.
inline constexpr int64_t chain_block = 1024;

/// out[i] = op(a[i], b[i], c[i]) for n elements; operands that the op lacks are not read. `out` may be an operand.
template <class T>
using ChainFunction = void (*)(T* out, const T* a, const T* b, const T* c, float alpha, float beta, size_t n);

/// The functions of isa::chain_ops(), in plain C++ (the definition), for float, double and int64_t.
template <class T>
std::span<const ChainFunction<T>> plain_chain_functions();
/// The same for f32, vectorised; exp, log, tanh, erf … within 4 units in the last place of the plain ones.
std::span<const ChainFunction<float>> fast_chain_functions();

/// A chain with its results assigned to buffers, used again once a result is dead.
struct ChainPlan {
  struct Step {
    uint8_t op = 0;
    std::array<uint8_t, 3> operands{};  ///< 0..7: stream; 8 + b: buffer b.
    uint8_t target = 0;                 ///< A buffer; the last step's is the output instead.
    float alpha = 0, beta = 0;
  };
  const isa::Chain* chain = nullptr;  ///< As the program states it.
  DType compute = DType::f32;
  int inputs = 0, buffers = 0;
  unsigned used = 0;  ///< Bit s: stream s is read.
  std::vector<Step> steps;
};
ChainPlan plan_of(const isa::Chain& chain);

/// One input of a chain: element strides by the axes of the output, 0 where repeated.
struct Stream {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  Dims strides{};
};
/// A stream over a dense box of `extents`, some of them 1, for an output of `out` extents.
Stream stream_of(const std::byte* data, DType dtype, int rank, const Dims& extents, const Dims& out);

/// out[i] = chain(streams[i] …) over a dense box; rounded once, when written. A stream without data is not read.
/// Slower and in a fixed way where `exact`: each element by the plain functions.
void run_chain(Worker& worker, const ChainPlan& plan, std::span<const Stream> streams, std::byte* out, DType out_type,
               int rank, const Dims& extents, bool exact);

}  // namespace hadal::machine
