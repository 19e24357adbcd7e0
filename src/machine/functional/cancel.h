// Ending a run before it is done.
#pragma once

#include "machine/functional/run.h"

namespace hadal::machine {

/// From another thread: a run that is under way ends soon, in the error run.cancelled. The machine stays usable.
void cancel(ValueMachine& machine);

}  // namespace hadal::machine
