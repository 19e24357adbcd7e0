// The rules of a legal program. A program that passes `verify_static`, and each of whose instructions passes `check` as
// it is executed, cannot read or write outside its own memory.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "isa/program.h"

namespace hadal::isa {

struct Rule {
  std::string_view label, text;
};
/// All rules, as docs/isa.md prints them.
std::span<const Rule> rules();
/// Those of an order that no execution may change: machine/check/run.h looks for what breaks them.
std::span<const Rule> order_rules();

/// Functions of the host that host_call may name.
inline constexpr std::array<std::string_view, 1> host_functions{"non_max_suppression"};

/// What holds whatever the registers hold: numbers in range, descriptors inside their regions, operands legal.
Status verify_static(const Program& program);

/// Instructions that `verify` walks, of all cores.
inline constexpr uint64_t walk_budget = uint64_t{1} << 22;

/// verify_static, then a walk of the program without values, all cores side by side: boxes, extents, semaphores. The
/// walk ends after `walk_budget` instructions; what follows is checked as it is executed, by the same `check`.
Status verify(const Program& program);

/// The same, with all errors of verify_static (at most `most`), or the walk's first.
std::vector<Error> verify_all(const Program& program, size_t most = 100);

}  // namespace hadal::isa
