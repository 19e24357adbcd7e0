// Programs to begin from.
#pragma once

#include <filesystem>
#include <vector>

#include "isa/program.h"

namespace hadal::fuzz {

/// The examples written by hand, and a compiled model. `folder` takes the model's file.
std::vector<isa::Program> seed_programs(const std::filesystem::path& folder);

}  // namespace hadal::fuzz
