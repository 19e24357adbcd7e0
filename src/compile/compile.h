// Graph to program: the compiler's front.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chip/chip.h"
#include "compile/lowered.h"
#include "compile/plan.h"
#include "compile/profile.h"
#include "graph/graph.h"
#include "isa/program.h"

namespace hadal::compile {

struct Options {
  /// Storage and multiply type of floats; absent: the model's own.
  std::optional<DType> precision;
  /// Measured software whose habits to keep, rather than to look for a schedule; the chip is the one `under` it.
  const Profile* profile = nullptr;
  /// Inputs that the next run finds as this one leaves an output: names of both; a `*` in each stands for the same
  /// text.
  std::vector<std::pair<std::string, std::string>> states = {};
  /// Whether values will be computed; without, floats may also be stored as integers, which need scales for values.
  bool values = true;
  /// Name of a pass: its result's text goes to `dump`. "all": after every pass.
  std::string dump_after;
  std::function<void(const std::string& pass, const std::string& text)> dump;
  /// Cycles of a program: where given, the compiler tries several plans, fewer cores than the chip has among them.
  /// Small layers can lose more by meeting many than they gain by being cut.
  std::function<Result<int64_t>(const isa::Program& program)> cycles;
  /// Of graphs with nodes that are kernels.
  const KernelPrograms* kernels = nullptr;
  /// How many plans more to try where layers have other tiles: more take longer, and may be better.
  int effort = 0;
  /// Of this computer, on which plans are tried, `cycles` being called from each. The plan that is taken is the same.
  size_t threads = 1;
  Lowered* lowered = nullptr;  ///< Filled where given.
  /// Called with the pass that begins, for a progress line.
  std::function<void(const std::string& pass)> progress;
};

/// Compiles an imported graph for a chip. Errors name the model's nodes: an operator that the chip cannot run, a type
/// that its array lacks, memory that does not suffice; state.name, state.type.
Result<isa::Program> compile(graph::Graph graph, const chip::Chip& chip, const Options& options);

/// The instructions that an op of the graph becomes, their names separated by spaces; "view" where strides can say it
/// (else it is a copy), "in place" where its operands are made where its result lies. Empty: the chip cannot run it.
std::string_view instructions_of(const graph::Op& op);

}  // namespace hadal::compile
