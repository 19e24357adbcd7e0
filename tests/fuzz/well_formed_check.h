// One well-formed program through verifier, files, text, both machines and the checking machine.
#pragma once

#include <map>
#include <string>

#include "fuzz/well_formed.h"

namespace hadal::fuzz {

/// What a program did.
struct Outcome {
  std::string stage, message;  ///< What failed first, and how; empty where all held.
  std::map<isa::Opcode, uint64_t> executed;
  [[nodiscard]] bool ok() const { return stage.empty(); }
};

/// `folder` takes files of the program while it is checked.
Outcome check_well_formed(const WellFormed& made, const std::string& folder);

}  // namespace hadal::fuzz
