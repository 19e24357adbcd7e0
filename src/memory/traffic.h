// Synthetic traffic: patterns of blocks, and how fast they come.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/split_mix.h"

namespace hadal::memory {

struct Traffic {
  std::string pattern = "seq_read";
  int64_t requests = 0;                     ///< Bursts in all.
  int64_t region = 0;                       ///< Addresses are below this [B].
  int64_t granule = 64;                     ///< A block [B], cut into bursts in order.
  int64_t stride = 0;                       ///< stride, bank_conflict [B].
  int64_t read_burst = 0, write_burst = 0;  ///< mix: blocks in a row.
  int64_t streams = 0, chunk = 0;           ///< streams: how many, and bytes of one before the next.
  int64_t window = 0;                       ///< Most bursts sent and not completed; 0 for no limit.
  double offered_load = 0;                  ///< Share of the peak at which blocks come; 0 for as fast as they go.
  uint64_t seed = 1;
};

/// The blocks of a pattern, one after another.
class Pattern {
 public:
  struct Block {
    uint64_t address = 0;
    bool write = false;
  };
  /// Errors: traffic.pattern, traffic.range.
  static Result<Pattern> make(const Traffic& traffic);
  Block next();
  /// Leaves out blocks. Random ones are not drawn: those that follow are as random.
  void skip(int64_t blocks) { block_ += static_cast<uint64_t>(blocks); }

 private:
  enum class Kind { seq_read, seq_write, mix, stride, random_read, random_write, random_mix, streams };
  Pattern(Kind kind, const Traffic& traffic);

  Kind kind_;
  uint64_t region_, granule_, stride_, read_burst_, write_burst_, streams_, chunk_;
  SplitMix random_;
  uint64_t block_ = 0;
};

}  // namespace hadal::memory
