// The path of `hadal run`, within limits, stage by stage.
#pragma once

#include <filesystem>

#include "chip/chip.h"
#include "fuzz/campaign.h"
#include "isa/program.h"

namespace hadal::fuzz {

/// A model file: import, compile, then as run_program.
Status run_model(Campaign& campaign, const std::filesystem::path& model, const chip::Chip& chip);

/// verify_static, limits, values on made-up inputs, timing. Values are left out where they would take long.
Status run_program(Campaign& campaign, const isa::Program& program, const chip::Chip& chip);

/// A shipped chip.
const chip::Chip& shipped(const std::string& name);

}  // namespace hadal::fuzz
