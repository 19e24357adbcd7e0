// Instruction fetch: a buffer that holds the code fetched last, and a stream that runs ahead of it.
#pragma once

#include <cstdint>
#include <vector>

#include "chip/chip.h"
#include "isa/sequencer.h"
#include "machine/timing/time.h"

namespace hadal::machine::timing {

/// Where each instruction lies, and which loop it is in: once a program.
class CodeMap {
 public:
  explicit CodeMap(const isa::Walk& walk);
  [[nodiscard]] int64_t begin(size_t instruction) const { return offsets_[instruction]; }
  [[nodiscard]] int64_t end(size_t instruction) const { return offsets_[instruction + 1]; }
  /// First instruction of the innermost loop's body that holds both; `to` is not after `from`.
  [[nodiscard]] size_t body(size_t from, size_t to) const;

 private:
  const isa::Walk* walk_;
  std::vector<int64_t> offsets_;
  std::vector<uint32_t> loop_;  ///< 1 + the innermost loop around each instruction, 0 where none.
};

/// The buffer of one core. What lies in it costs nothing; what follows it arrives at the fetch rate, while the
/// sequencer works or waits; a jump elsewhere pays the latency and starts over.
class Fetch {
 public:
  Fetch(const CodeMap& map, const chip::Sequencer& sequencer, Cycles clock);

  /// The sequencer, done with instruction `from` at `now`, goes on to `to`: when it has it. Call with from = to = 0
  /// and `first` at the start.
  Time go(size_t from, size_t to, Time now, bool first);
  /// The sequencer goes on that many bytes further, as if it had all along.
  void move(int64_t bytes) {
    low_ += bytes;
    high_ += bytes;
    origin_ += bytes;
  }

 private:
  Time take(int64_t begin, int64_t end, Time now);

  const CodeMap* map_;
  int64_t buffer_;
  Rate rate_;
  Time latency_;
  int64_t low_ = 0, high_ = 0;  ///< Bytes of code in the buffer.
  int64_t origin_ = 0;          ///< Where the stream began, and when its first byte was there.
  Time origin_time_ = 0;
};

}  // namespace hadal::machine::timing
