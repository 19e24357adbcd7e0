// Loops, registers and predicates by chance.
#pragma once

#include <optional>
#include <vector>

#include "fuzz/random.h"
#include "isa/program.h"

namespace hadal::fuzz {

/// The register that every program has its core's number in.
inline constexpr uint8_t core_id = 0;

/// The loops around a unit's body, up to three, and the registers that its instructions read.
class Nest {
 public:
  Nest(Random& random, int64_t cores);

  /// Perhaps a predicate, and perhaps an extent of at most `rows` (none where that is below 2).
  void draw_guards(int64_t rows);

  /// Instructions before the body, and behind it.
  [[nodiscard]] const std::vector<isa::Instruction>& head() const { return head_; }
  [[nodiscard]] std::vector<isa::Instruction> tail() const;

  [[nodiscard]] bool loops() const { return depth_ > 0; }
  [[nodiscard]] int64_t trips() const { return trips_; }        ///< At most, and at least 1.
  [[nodiscard]] bool is_complete() const { return complete_; }  ///< Every core does all of the work in as many.
  [[nodiscard]] bool is_uniform() const { return uniform_; }    ///< All cores do the same.
  [[nodiscard]] uint8_t trip() const { return trip_; }          ///< Counts the trips of the body.
  [[nodiscard]] std::optional<uint8_t> predicate() const { return predicate_; }
  [[nodiscard]] std::optional<uint8_t> extent() const { return extent_; }
  uint8_t take_register() { return next_register_++; }

 private:
  bool draw_loop();

  Random& random_;
  int64_t cores_;
  std::vector<isa::Instruction> head_;
  std::vector<std::pair<uint8_t, int64_t>> indices_;  ///< Of the loops, the outermost first, with their most trips.
  int depth_ = 0;
  int64_t trips_ = 1;
  bool complete_ = true, uniform_ = true;
  uint8_t next_register_ = 2, trip_ = 0;
  std::optional<uint8_t> predicate_, extent_;
};

enum class Let : uint8_t { add, sub, mul, div, mod, min, max, ceildiv, eq, less };
isa::Instruction let(uint8_t target, Let op, isa::Field a, isa::Field b);
isa::Instruction loop(uint8_t index, isa::Field count, int64_t most);
isa::Instruction end();
constexpr isa::Field constant(int64_t value) { return {value, false}; }
constexpr isa::Field in_register(uint8_t value) { return {value, true}; }

}  // namespace hadal::fuzz
