// Time of the sequencer: issuing, and fetching code that is not in its buffer.
#pragma once

#include <cstdint>

#include "chip/chip.h"

namespace hadal::rules {

/// Issue of `instructions` to queues and evaluation of `lets` register instructions, code at hand.
int64_t issue_cycles(const chip::Sequencer& sequencer, int64_t instructions, int64_t lets);

/// Fetch of `code_bytes` from memory: one latency, then the stream. 0 for no bytes.
int64_t fetch_cycles(const chip::Sequencer& sequencer, int64_t code_bytes);

/// Fetch of a loop of `code_bytes` run `trips` times: once if it fits the buffer, at every trip else.
int64_t loop_fetch_cycles(const chip::Sequencer& sequencer, int64_t code_bytes, int64_t trips);

}  // namespace hadal::rules
