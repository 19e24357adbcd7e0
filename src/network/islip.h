// Round-robin arbitration, and the allocator made of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hadal::network {

/// How far `candidate` is behind `pointer` on a ring of `count`: the nearest wins a round-robin arbitration.
constexpr uint32_t turn(uint32_t candidate, uint32_t pointer, uint32_t count) {
  return candidate >= pointer ? candidate - pointer : candidate + count - pointer;
}

/// iSLIP with one iteration (McKeown, IEEE/ACM Transactions on Networking 7(2), 1999): each output grants one of the
/// inputs that request it, each input accepts one of its grants. A pointer moves behind its choice only once that was
/// accepted, which keeps the pointers of busy outputs apart.
class Islip {
 public:
  struct Match {
    uint32_t input, output;
  };
  Islip(uint32_t inputs, uint32_t outputs)
      : grant_pointers_(outputs), accept_pointers_(inputs), grants_(outputs, none), accepts_(inputs, none) {}

  void request(uint32_t input, uint32_t output);
  /// Matches what was requested since the last time. Valid until the next call.
  std::span<const Match> allocate();

 private:
  static constexpr uint32_t none = UINT32_MAX;
  std::vector<uint32_t> grant_pointers_, accept_pointers_;
  std::vector<uint32_t> grants_, accepts_;  ///< Best so far, an output's input and an input's output.
  std::vector<uint32_t> requested_, granted_;
  std::vector<Match> matches_;
};

}  // namespace hadal::network
