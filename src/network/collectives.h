// Collective operations of chips, as the messages that they are made of.
#pragma once

#include <string_view>

#include "network/links.h"

namespace hadal::network {

/// Patterns of messages among P chips, `bytes` in all:
///   point_to_point      one message of `bytes` from chip 0 to chip P / 2
///   ring_all_gather     in P - 1 steps every chip hands on bytes / P to the next, as soon as it has them
///   ring_all_reduce     the same in 2 (P - 1) steps: reduce-scatter, then all-gather; the reduction takes no time
///   all_to_all_burst    all messages of `bytes` at once, in the order of source, then destination
///   all_to_all_rotated  all messages of `bytes` at once, in the order of distance, then source
struct Collective {
  std::string_view name;
  void (*start)(Links& links, double bytes);  ///< Sends the first messages; `links.finish()` does the rest.
};

/// Errors: collective.name.
Result<Collective> collective(std::string_view name);

}  // namespace hadal::network
