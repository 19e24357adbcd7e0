// What a kernel gets: one instruction with its operands found in memory.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <span>

#include "base/result.h"
#include "isa/check.h"
#include "machine/functional/copy.h"
#include "machine/functional/run.h"

namespace hadal::machine {

class Worker;

/// A box and the host memory of its first element. Dense, except boxes of memory (DMA, host), both operands of a matmul
/// and the weights of a convolution.
struct Operand {
  std::byte* data = nullptr;  ///< Null: not given.
  const isa::Box* box = nullptr;
  bool constant = false;  ///< Bytes of the weights: the same as long as the machine lives.

  explicit operator bool() const { return data != nullptr; }
  [[nodiscard]] DType dtype() const { return box->dtype; }
  [[nodiscard]] int rank() const { return box->rank; }
  [[nodiscard]] const Dims& extents() const { return box->extents; }
  [[nodiscard]] int64_t extent(size_t axis) const { return box->extents[axis]; }
  [[nodiscard]] int64_t elements() const { return box->elements(); }
  [[nodiscard]] int64_t element_bytes() const { return bytes_of(box->dtype); }
  /// The elements, of a type that the caller has checked.
  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

/// What a matrix instruction has looked up, for one that runs again: the engine's plan for each of its modes, and the
/// packed weights.
struct Found {
  std::array<void*, 3> plans{};
  const void* packed = nullptr;
};

struct Call {
  const isa::Program& program;
  const isa::Instruction& in;  ///< Its fields are numbers: registers are put in.
  size_t index;                ///< Its number in the code.
  const ValueOptions& options;
  std::array<Operand, isa::operand_limit> operands{};
  std::byte* accumulators = nullptr;
  Worker* worker = nullptr;
  Found* found = nullptr;  ///< Null where the instruction runs once.

  [[nodiscard]] const Operand& operator[](size_t i) const { return operands[i]; }
  [[nodiscard]] int64_t number(size_t field) const { return in.fields[field].value; }
  [[nodiscard]] bool flag(size_t field) const { return in.fields[field].value != 0; }
  [[nodiscard]] float real(size_t field) const {
    return std::bit_cast<float>(static_cast<uint32_t>(in.fields[field].value));
  }
  [[nodiscard]] Error fail(const char* code, std::string message) const {
    return {code, std::move(message), isa::place_of(program, index)};
  }
};

using Kernel = Status (*)(Call&);

/// The kernel of an engine's instruction; `exact` asks for the defining one. Null for `sync`.
Kernel kernel_of(isa::Opcode op, bool exact);

/// Multiply-accumulates of a matrix instruction; 0 for others.
uint64_t macs_of(const Call& call);

}  // namespace hadal::machine
