// Several errors as one.
#pragma once

#include <vector>

#include "base/result.h"

namespace hadal {

/// The first, with the others as lines of its remedy. There is at least one.
Error together(const std::vector<Error>& errors);

}  // namespace hadal
