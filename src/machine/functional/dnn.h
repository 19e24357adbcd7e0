// Matrix instructions by oneDNN. dnn.cpp alone sees its headers.
#pragma once

#include <cstddef>
#include <memory>

namespace hadal::machine {

struct MatrixCall;

/// Primitives and packed weights of a machine, shared by its threads.
class SharedPrimitives {
 public:
  static std::unique_ptr<SharedPrimitives> make();
  virtual ~SharedPrimitives() = default;
  /// Seconds spent on making primitives and packing weights since the last call.
  virtual double take_seconds() = 0;
};

/// One thread's handles of the primitives.
class DnnEngine {
 public:
  explicit DnnEngine(SharedPrimitives& shared);
  ~DnnEngine();
  DnnEngine(const DnnEngine&) = delete;
  DnnEngine& operator=(const DnnEngine&) = delete;

  /// Computes the whole instruction, epilogue included, into its `out`. False where oneDNN cannot, or has lost a NaN;
  /// then `out` holds nothing of use, and no operand may lie in it.
  bool emit(const MatrixCall& matrix);
  /// Computes the sums (f32 or i32, row-major as `out`). False where oneDNN cannot; nothing is written.
  bool sum(const MatrixCall& matrix, bool accumulate, std::byte* sums);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// While it lives, oneDNN's loops in this thread stay in this thread.
class SingleThreaded {
 public:
  SingleThreaded();
  ~SingleThreaded();
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;

 private:
  int before_;
};

}  // namespace hadal::machine
