// The cache between network and memory, for time only: which transfers find their bytes there.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "machine/timing/time.h"
#include "machine/timing/transfer.h"

namespace hadal::machine::timing {

/// Keeps the pieces of transfers that were last used, up to its size. A tile that is loaded again is the same box of
/// memory, so that a box and a place in it stand for the bytes; other boxes of the same bytes do not find them.
class Cache {
 public:
  explicit Cache(int64_t bytes) : bytes_(bytes) {}

  /// When the bytes are (or will be) there; none where they must be fetched.
  std::optional<Time> find(const Transfer& transfer, int64_t from, int64_t bytes);
  /// They come, or are written, at `ready`.
  void keep(const Transfer& transfer, int64_t from, int64_t bytes, Time ready);
  /// The same contents, all there.
  Cache settled() &&;

 private:
  struct Line {
    uint64_t key = 0;
    int64_t bytes = 0;
    Time ready = 0;
  };
  int64_t bytes_, used_ = 0;
  std::list<Line> lines_;  ///< The last used first.
  std::unordered_map<uint64_t, std::list<Line>::iterator> places_;
};

}  // namespace hadal::machine::timing
