// A run's timeline, for Perfetto (ui.perfetto.dev) or chrome://tracing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "chip/chip.h"
#include "isa/program.h"
#include "machine/timing/run.h"

namespace hadal::report {

/// Writes slices of a timed run to `path`: Perfetto's own format where it ends in .pftrace, else Chrome's JSON. One
/// track tells the layers, by when they retire; each core has a track per queue, with slices of layers around slices of
/// instructions. A queue shows an instruction from when the one before it has ended, for tracks hold no overlaps; its
/// start, and how long it stalled, stand among the slice's details. Times are nanoseconds. Errors: file.write.
Status write_trace(const std::string& path, const isa::Program& program, const chip::Chip& chip,
                   const machine::Timing& timing, const std::vector<machine::Slice>& slices);

}  // namespace hadal::report
