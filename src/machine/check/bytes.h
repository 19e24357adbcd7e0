// Which bytes an instruction reads and writes; and the cells that the accesses of a program divide its memory into.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "isa/check.h"
#include "isa/sequencer.h"

namespace hadal::machine::check {

/// Runs of bytes: `bytes` at `offset`, repeated along the axes, the innermost first.
struct Runs {
  int64_t offset = 0, bytes = 0;
  size_t rank = 0;
  std::array<int64_t, isa::rank_limit> extents{}, strides{};

  /// Calls f(first byte) of each run, in ascending order where they do not overlap.
  template <class F>
  void each(const F& f) const {
    std::array<int64_t, isa::rank_limit> at{};
    for (int64_t begin = offset;;) {
      f(begin);
      size_t axis = 0;
      for (; axis < rank && ++at[axis] == extents[axis]; ++axis) {
        begin -= (extents[axis] - 1) * strides[axis];
        at[axis] = 0;
      }
      if (axis == rank) return;
      begin += strides[axis];
    }
  }
};

/// One operand's bytes.
struct Access {
  const isa::Box* box = nullptr;  ///< Names the space, and the tensor.
  bool written = false;
  Runs runs;
};

/// The accesses of an instruction, reads first, to bytes that programs write: not those of inputs and weights, and not
/// the accumulator, which only one queue touches.
class Accesses {
 public:
  Accesses(const isa::Program& program, const isa::Instruction& in, const isa::Sequencer& sequencer,
           const isa::Boxes& boxes);
  [[nodiscard]] const Access* begin() const { return list_.data(); }
  [[nodiscard]] const Access* end() const { return list_.data() + count_; }

 private:
  std::array<Access, isa::operand_limit> list_;
  size_t count_ = 0;
};

/// Every access is made of whole cells. In a region they are equally long; in the scratchpads they end where some
/// access does.
class Cells {
 public:
  Cells(const isa::Program& program, size_t cores);
  /// Before `close`: an access that will be looked up.
  void add(const Access& access);
  /// All regions that the host reads or writes as a whole: ports.
  void close();

  struct Range {
    size_t begin = 0, end = 0;
  };
  [[nodiscard]] size_t size() const { return size_; }
  /// The cells of one run of an access.
  [[nodiscard]] Range of(const Access& access, size_t core, int64_t begin) const;
  /// The cells of the first bytes of a region.
  [[nodiscard]] Range of_region(uint16_t region, int64_t bytes) const;
  /// "bytes 0 to 255 of the scratchpad".
  [[nodiscard]] std::string text(const Access& access, Range range) const;

 private:
  struct Grid {
    size_t first = 0;
    int64_t bytes = 0;  ///< Of a cell; 0: nothing is accessed.
  };
  [[nodiscard]] size_t rank(int64_t byte) const;

  const isa::Program& program_;
  size_t cores_, size_ = 0;
  std::vector<Grid> grids_;        ///< Of each region.
  std::set<int64_t> found_edges_;  ///< Of accesses to the scratchpads, until `close`.
  std::vector<int64_t> edges_;
  size_t scratchpads_ = 0;  ///< The first cell of the first core's.
};

}  // namespace hadal::machine::check
