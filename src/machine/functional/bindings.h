// Loads that copy nothing: ranges of a scratchpad that stand for bytes elsewhere.
//
// A load that changes no byte and reads a dense box (or any box of the weights) is remembered instead of done. Reads
// of the range go to the source; a write to it ends the binding, and what it leaves untouched is copied first. Before
// any core writes memory that a tile is bound to, that tile is copied, so the values are always those of copying.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "machine/functional/kernel.h"

namespace hadal::machine {

/// Whether the boxes have the same elements in the same places, axes of extent 1 aside; then the strides of `from`,
/// given by its rank, extents and strides, by the axes of `box`.
bool same_axes(const isa::Box& box, uint8_t rank, const Dims& extents, const Dims& strides, Dims& result);

class Bindings {
 public:
  /// `scratchpad` outlives the bindings.
  explicit Bindings(std::byte* scratchpad) : scratchpad_(scratchpad) {}

  /// Binds the bytes of `to` to a box of memory with the same elements; `from` is dense, or strided where it is
  /// constant.
  void bind(const isa::Box& to, const isa::Box& from, std::byte* source, bool constant);
  /// Finds a box that is read. A strided source is answered only where `strided`: the operand's box is then `box`,
  /// whose strides are changed to the source's.
  Operand find(isa::Box& box, bool strided);
  /// Before a write to scratchpad bytes [begin, end).
  void overwrite(int64_t begin, int64_t end);
  /// Before a write to host memory [begin, end), by any core: bindings to it are copied. Takes the lock, so it waits
  /// for the owner's instruction that may be reading the source.
  void release(const std::byte* begin, const std::byte* end);

  /// Held by the owner while it executes an instruction; the other functions but `release` need it.
  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  struct Binding {
    int64_t begin, end;  ///< Bytes of the scratchpad.
    std::byte* source;
    bool constant, dense;
    uint8_t rank;
    DType dtype;
    Dims extents, strides;  ///< Where not dense.
  };
  /// The first binding that ends after `begin`.
  std::vector<Binding>::iterator first(int64_t begin);
  void copy(const Binding& binding, int64_t begin, int64_t end);
  void include_source(const std::byte* begin, const std::byte* end);

  std::byte* scratchpad_;
  std::vector<Binding> list_;  ///< Ascending and disjoint.
  std::mutex mutex_;
  /// All sources that may be overwritten lie between. Readers that come too early see a race of the program's own.
  std::atomic<const std::byte*> low_{nullptr}, high_{nullptr};
};

}  // namespace hadal::machine
