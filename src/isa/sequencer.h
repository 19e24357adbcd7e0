// The sequencer of one core: walks the program, runs its control instructions and gives the engines' instructions one
// by one, in program order. The functional and the timing machine both stand on it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::isa {

/// A view with the values of its registers put in.
struct Box {
  Space space = Space::hbm;
  DType dtype = DType::f32;
  uint8_t rank = 0;
  uint16_t region = 0;
  uint16_t tensor = 0;
  bool empty = false;                         ///< Some extent is 0: nothing to do.
  int64_t offset = 0;                         ///< Bytes from the start of the region, scratchpad or accumulator.
  std::array<int64_t, rank_limit> extents{};  ///< Elements.
  std::array<int64_t, rank_limit> strides{};  ///< Bytes.
  std::array<int64_t, rank_limit> origins{};  ///< Elements; may lie outside the tensor where the instruction fills.

  [[nodiscard]] int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= extents[static_cast<size_t>(i)];
    return n;
  }
  [[nodiscard]] int64_t bytes() const { return elements() * bytes_of(dtype); }
};

/// What a program needs once, whatever the number of cores that walk it.
class Walk {
 public:
  /// The program outlives the walk. Errors: loops that do not nest (loop.C1).
  static Result<Walk> of(const Program& program);
  [[nodiscard]] const Program& program() const { return *program_; }
  [[nodiscard]] uint32_t partner(size_t instruction) const { return partner_[instruction]; }

 private:
  const Program* program_ = nullptr;
  std::vector<uint32_t> partner_;  ///< A loop's end, an end's loop.
};

class Sequencer {
 public:
  Sequencer(const Walk& walk, int64_t core, int64_t cores);

  /// The next instruction of an engine, or null at `halt` and after an error.
  const Instruction* next();
  /// Ends in the error `run.budget` after that many more instructions, the sequencer's own included.
  void limit(uint64_t steps) { steps_left_ = steps; }
  [[nodiscard]] uint64_t steps_left() const { return steps_left_; }
  /// Number of that instruction in the code.
  [[nodiscard]] size_t index() const { return at_; }
  /// Control instructions executed since the instruction before: lets, and others.
  [[nodiscard]] uint32_t lets() const { return lets_; }
  [[nodiscard]] uint32_t controls() const { return controls_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  [[nodiscard]] int64_t number(const Field& field) const {
    return field.is_register ? registers_[static_cast<size_t>(field.value)] : field.value;
  }
  /// Whether the predicate drops the instruction's work.
  [[nodiscard]] bool dropped(const Instruction& in) const {
    return in.predicate != no_register && registers_[in.predicate] == 0;
  }
  [[nodiscard]] Box box(uint16_t view) const;
  [[nodiscard]] const std::array<int64_t, registers>& values() const { return registers_; }
  struct Frame {
    uint32_t body;  ///< Its first instruction.
    int64_t left;   ///< Trips, the present one included.
    uint8_t index;
  };
  /// The loops around that instruction, the outermost first.
  [[nodiscard]] std::span<const Frame> loops() const { return {stack_.data(), static_cast<size_t>(depth_)}; }
  void set(uint8_t destination, int64_t value) { registers_[destination] = value; }

 private:
  void let(const Instruction& in);
  void fail(const char* rule, std::string message);

  const Walk* walk_;
  const Program* program_;
  size_t pc_ = 0, at_ = 0;
  uint64_t steps_left_ = UINT64_MAX;
  uint32_t lets_ = 0, controls_ = 0;
  std::array<Frame, loop_depth> stack_{};
  int depth_ = 0;
  std::array<int64_t, registers> registers_{};
  std::optional<Error> error_;
};

}  // namespace hadal::isa
