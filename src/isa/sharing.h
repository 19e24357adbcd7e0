// Shared loads: cores that need the same bytes read them from memory once.
#pragma once

#include <cstdint>

#include "isa/fields.h"
#include "isa/program.h"

namespace hadal::isa {

/// Who takes a shared load together: `size` cores, `step` apart, in blocks of size * step. With size 4 and step 1 cores
/// 0 to 3 are a group, with size 4 and step 2 cores 0, 2, 4 and 6.
struct Sharing {
  int64_t size = 1, step = 1;

  [[nodiscard]] bool is_shared() const { return size > 1; }
  /// The first core of a core's group; the others follow at `step`.
  [[nodiscard]] int64_t first(int64_t core) const { return core - core % (size * step) + core % step; }
  /// How many of a group's cores there are among `cores`.
  [[nodiscard]] int64_t members(int64_t first, int64_t cores) const {
    const int64_t there = (cores - first + step - 1) / step;
    return there < size ? there : size;
  }
};

inline Sharing sharing_of(const Instruction& in) {
  if (in.op != Opcode::load) return {};
  return {in.fields[at::load_share].value, in.fields[at::load_step].value};
}

}  // namespace hadal::isa
