// A row of a table as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "bench/table.h"

namespace hadal::bench {

/// Cells by the names of their columns, numbers where they are some.
nlohmann::json measured(const Row& row);

}  // namespace hadal::bench
