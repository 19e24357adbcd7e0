// Time of a function that runs on the host: the device waits for a round trip.
#pragma once

#include <cstdint>

#include "chip/chip.h"

namespace hadal::rules {

struct HostWork {
  int64_t bytes_in = 0, bytes_out = 0;  ///< To the host, and back.
  int64_t operations = 0;               ///< Scalar operations.
};

/// Two link latencies, the bytes each way over the link, and the greater of operations at the host's rate and bytes at
/// its memory's rate. Femtoseconds.
int64_t host_call_femtoseconds(const chip::Host& host, const HostWork& work);

/// Scalar operations of non-maximum suppression: `lists` lists (batch times classes) of `boxes` scores are sorted, and
/// each of `kept` boxes is compared with all boxes of its list at 16 operations an intersection over union.
int64_t suppression_operations(int64_t lists, int64_t boxes, int64_t kept);

}  // namespace hadal::rules
