#pragma once

#include "isa/program.h"

namespace hadal::isa {

/// Brings a program into the one form that its text has: views pooled in order of first use, those never used dropped;
/// parts that mean nothing 0; an origin's lower register first; waits and signals without gaps. What the program does
/// is the same. Operands that name no view are left alone (code.C1 tells).
void canonicalise(Program& program);

}  // namespace hadal::isa
