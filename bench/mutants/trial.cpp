#include "bench/mutants/trial.h"

#include <algorithm>

#include "machine/check/run.h"
#include "runtime/inputs.h"

namespace hadal::bench {

namespace {

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.shape == y.shape && std::ranges::equal(x.bytes.view, y.bytes.view);
  });
}

Verdict verdict_of(const machine::Checked& checked) {
  Verdict verdict = checked.findings.empty() ? Verdict::clean : Verdict::counts;
  for (const machine::Finding& finding : checked.findings) {
    if (finding.rule.starts_with("race.")) return Verdict::race;
    if (finding.rule == "sync.C1" || finding.rule == "share.C1") verdict = Verdict::deadlock;
  }
  return verdict;
}

Status try_orders(const isa::Program& program, const std::vector<Schedule>& schedules,
                  const std::vector<Tensor>& inputs, const std::vector<Tensor>& wanted, Trial& trial) {
  HADAL_TRY(const auto adversary, Adversary::of(program));
  for (const Schedule& schedule : schedules) {
    const auto values = adversary->run(inputs, schedule);
    ++trial.orders;
    // An index that a race made a number out of range, or a wait that is never met, is no value but no secret either.
    trial.changes = !values || !same(*values, wanted);
    if (trial.changes) return {};
  }
  return {};
}

}  // namespace

Result<Trial> try_mutant(const isa::Program& program, const Mutant& mutant, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& wanted, uint64_t seed, bool demonstrate) {
  isa::Program changed = program;
  mutant.change(changed);
  HADAL_TRY(const machine::Checked checked, machine::check_program(changed, changed.limits.cores));
  Trial trial;
  trial.verdict = verdict_of(checked);
  if (trial.verdict == Verdict::clean || trial.verdict == Verdict::counts)
    HADAL_CHECK(try_orders(changed, schedules_around(mutant.instruction, seed), inputs, wanted, trial));
  if (trial.verdict == Verdict::race && demonstrate)
    HADAL_CHECK(try_orders(changed, schedules_around(mutant.instruction, seed), inputs, wanted, trial));
  return trial;
}

Result<std::vector<Tensor>> some_inputs(const isa::Program& program, uint64_t seed) {
  HADAL_TRY(std::vector<Tensor> inputs, runtime::bind_inputs(program.inputs, {}, seed));
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = cast(inputs[i], program.inputs[i].stored);
  return inputs;
}

Result<std::vector<Tensor>> usual_values(const isa::Program& program, const std::vector<Tensor>& inputs) {
  HADAL_TRY(const auto adversary, Adversary::of(program));
  return adversary->run(inputs, schedules_of(0).front());
}

}  // namespace hadal::bench
