// Who wrote each cell last, and who has read it since.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "machine/check/bytes.h"
#include "machine/check/order.h"

namespace hadal::machine::check {

class Shadow {
 public:
  Shadow(const isa::Program& program, const Trace& trace, const Order& order, const Cells& cells, size_t most);

  /// An access of a step, in the order of the trace.
  void touch(uint32_t step, const Access& access);
  /// The host reads the program's outputs when it has ended.
  void read_outputs();
  [[nodiscard]] std::vector<Finding> findings() && { return std::move(findings_); }

 private:
  /// Steps from 1; 0 is none. Of several readers that do not need each other, their number in `readers_`.
  struct Cell {
    uint32_t writer = 0, reader = 0;
  };
  static constexpr uint32_t several = uint32_t{1} << 31;

  /// What the step of this access made of a cell like the last one.
  struct Memo {
    Cell before{UINT32_MAX, UINT32_MAX}, after;
    std::vector<uint32_t> unordered;  ///< Steps that it meets in any order.
    bool unwritten = false;
  };
  void judge(uint32_t step, bool written, const Cell& cell);
  [[nodiscard]] uint32_t with_reader(uint32_t readers, uint32_t step);
  [[nodiscard]] std::vector<uint32_t> steps_of(uint32_t readers) const;
  void report(uint32_t step, const Access& access, Cells::Range range);
  void add(Finding finding, uint32_t with);
  [[nodiscard]] Site site(uint32_t step) const;
  [[nodiscard]] std::string name(uint32_t step) const;

  const isa::Program& program_;
  const Trace& trace_;
  const Order& order_;
  const Cells& map_;
  size_t most_;
  std::vector<Cell> cells_;
  std::vector<std::vector<uint32_t>> readers_;
  Memo memo_;
  bool kept_ = false;  ///< A run finds there what the last one left.
  std::vector<Finding> findings_;
  std::map<std::tuple<std::string, uint32_t, uint32_t>, size_t> known_;  ///< By rule and both instructions.
};

}  // namespace hadal::machine::check
