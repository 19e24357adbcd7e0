// The checking machine: one walk finds the order and the cells, a second looks at every access.
#include <algorithm>
#include <iterator>

#include "base/errors.h"
#include "machine/check/shadow.h"

namespace hadal::machine {

namespace {

using namespace check;

constexpr int64_t most_count = 32767;  // sync.C5

Error too_large(int64_t cells, int64_t limit) {
  return {"check.memory",
          fmt::format("the program's accesses divide its memory into {} parts, whose check takes more than {} bytes",
                      cells, limit)};
}

void append(std::vector<Finding>& to, std::vector<Finding> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Result<Checked> check_program(const isa::Program& program, int64_t cores, const CheckOptions& options) {
  HADAL_TRY(const isa::Walk walk, isa::Walk::of(program));
  const auto count = static_cast<size_t>(cores);
  Cells cells(program, count);
  Checked checked;
  Trace trace =
      walk_program(walk, count, options, [&](uint32_t, const auto& in, const auto& sequencer, const auto& boxes) {
        for (const Access& access : Accesses(program, in, sequencer, boxes)) {
          cells.add(access);
          ++checked.accesses;
        }
      });
  if (trace.too_long)
    return Error{"check.budget", fmt::format("more than {} instructions are executed", options.instruction_budget),
                 printable(program.model), "a program for fewer cores, or a smaller model, can be checked"};
  cells.close();
  if (static_cast<int64_t>(cells.size()) > options.memory_limit / 8)
    return too_large(static_cast<int64_t>(cells.size()), options.memory_limit);
  checked.instructions = trace.steps.size();

  const bool ended = std::ranges::none_of(
      trace.findings, [](const Finding& finding) { return finding.rule == "sync.C1" || finding.rule == "share.C1"; });
  Order order(program, count, trace);
  Shadow shadow(program, trace, order, cells, options.most);
  walk_again(walk, count, trace, [&](uint32_t step, const auto& in, const auto& sequencer, const auto& boxes) {
    for (const Access& access : Accesses(program, in, sequencer, boxes)) shadow.touch(step, access);
  });
  if (ended) shadow.read_outputs();
  checked.findings = std::move(trace.findings);
  append(checked.findings, std::move(shadow).findings());
  append(checked.findings, order.overflows(most_count));
  return checked;
}

Error error_of(const isa::Program& program, const Finding& finding) {
  Error error{finding.rule, finding.message};
  if (finding.times > 1) error.message += fmt::format(" ({} times)", finding.times);
  for (const Site& site : finding.sites) {
    error.place += fmt::format("{}core {}, {}", error.place.empty() ? "" : "\n  ", site.core,
                               isa::place_of(program, site.instruction));
    if (site.instruction < program.source.size() && program.source[site.instruction] < program.layers.size()) {
      const std::vector<std::string>& nodes = program.layers[program.source[site.instruction]].nodes;
      for (size_t i = 0; i < std::min<size_t>(nodes.size(), 4); ++i)
        error.place += fmt::format("{}{}", i == 0 ? ", nodes " : " ", printable(nodes[i]));
    }
  }
  if (finding.rule == "race.R1" || finding.rule == "race.R3")
    error.remedy = "let the one that must end first signal a semaphore that the other's queue waits for";
  return error;
}

Status status_of(const isa::Program& program, const Checked& checked) {
  if (checked.findings.empty()) return {};
  std::vector<Error> errors;
  for (const Finding& finding : checked.findings) errors.push_back(error_of(program, finding));
  return together(errors);
}

}  // namespace hadal::machine
