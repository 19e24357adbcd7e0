// A seeded stream of choices, and edits of bytes. The same seed gives the same inputs on every host.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/split_mix.h"

namespace hadal::fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : numbers_(seed) {}
  uint64_t next() { return numbers_.next(); }
  /// Below `n`; 0 where n is 0.
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(next() % n); }
  bool one_in(size_t n) { return below(n) == 0; }
  int64_t between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(below(static_cast<size_t>(most - least) + 1));
  }
  template <class T>
  T pick(std::initializer_list<T> of) {
    return of.begin()[below(of.size())];
  }
  template <class T>
  const T& pick(const std::vector<T>& of) {
    return of[below(of.size())];
  }

 private:
  SplitMix numbers_;
};

/// Numbers at which code breaks.
inline int64_t edgy(Random& random) {
  const int64_t one = 1;
  return random.pick<int64_t>({0,
                               1,
                               2,
                               3,
                               -1,
                               -2,
                               7,
                               16,
                               63,
                               64,
                               127,
                               128,
                               255,
                               256,
                               4095,
                               65535,
                               65536,
                               one << 24,
                               (one << 31) - 1,
                               one << 31,
                               -(one << 31),
                               (one << 32) - 1,
                               one << 40,
                               one << 62,
                               INT64_MAX,
                               INT64_MIN});
}

/// Up to three edits: bits, bytes, edge numbers, cuts, repeats and moves of pieces.
inline std::string edited(std::string bytes, Random& random) {
  for (size_t edits = 1 + random.below(3); edits > 0 && !bytes.empty(); --edits) {
    const size_t at = random.below(bytes.size()), length = 1 + random.below(std::min<size_t>(64, bytes.size() - at));
    switch (random.below(8)) {
      case 0:
        bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1u << random.below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random.next());
        break;
      case 2: {
        const int64_t value = edgy(random);
        for (size_t i = 0, width = random.pick<size_t>({1, 2, 4, 8}); i < width && at + i < bytes.size(); ++i)
          bytes[at + i] = static_cast<char>(value >> (8 * i));
        break;
      }
      case 3:
        if (random.one_in(3)) bytes.resize(at);
        break;
      case 4:
        bytes.erase(at, length);
        break;
      case 5:
        bytes.insert(random.below(bytes.size()), bytes.substr(at, length));
        break;
      case 6:
        bytes.replace(random.below(bytes.size()), length, bytes.substr(at, length));
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] + (random.one_in(2) ? 1 : -1));
    }
  }
  return bytes;
}

}  // namespace hadal::fuzz
