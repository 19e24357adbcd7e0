// Graph to program: the compiler's front.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "chip/chip.h"
#include "graph/graph.h"
#include "isa/program.h"

namespace hadal::compile {

struct Options {
  /// Storage and multiply type of floats; absent: the model's own.
  std::optional<DType> precision;
  /// Name of a pass: its result's text goes to `dump`. "all": after every pass.
  std::string dump_after;
  std::function<void(const std::string& pass, const std::string& text)> dump;
  /// Cycles of a program: where given, the compiler also tries fewer cores than the chip has. Small layers can lose more
  /// by meeting many than they gain by being cut.
  std::function<Result<int64_t>(const isa::Program& program)> cycles;
  /// Called with the pass that begins, for a progress line.
  std::function<void(const std::string& pass)> progress;
};

/// Compiles an imported graph for a chip. Errors name the model's nodes: an operator that the chip cannot run, a type
/// that its array lacks, memory that does not suffice.
Result<isa::Program> compile(graph::Graph graph, const chip::Chip& chip, const Options& options);

}  // namespace hadal::compile
