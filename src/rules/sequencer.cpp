#include "rules/sequencer.h"

#include <algorithm>

#include "rules/cycles.h"

namespace hadal::rules {

int64_t issue_cycles(const chip::Sequencer& sequencer, int64_t instructions, int64_t lets) {
  return whole_cycles(static_cast<double>(instructions) * sequencer.issue_cycles +
                      static_cast<double>(lets) * sequencer.let_cycles);
}

int64_t fetch_cycles(const chip::Sequencer& sequencer, int64_t code_bytes) {
  if (code_bytes <= 0) return 0;
  return sequencer.fetch_latency_cycles +
         whole_cycles(static_cast<double>(code_bytes) / sequencer.fetch_bytes_per_cycle);
}

int64_t loop_fetch_cycles(const chip::Sequencer& sequencer, int64_t code_bytes, int64_t trips) {
  if (trips <= 0) return 0;
  const bool fits = code_bytes <= sequencer.instruction_buffer_bytes;
  return whole_cycles(static_cast<double>(fetch_cycles(sequencer, code_bytes)) * static_cast<double>(fits ? 1 : trips));
}

}  // namespace hadal::rules
