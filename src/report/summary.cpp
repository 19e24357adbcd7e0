#include "report/summary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/text.h"
#include "runtime/resources.h"

namespace hadal::report {

namespace {

using Align = Table::Align;

std::string head_text(const runtime::Request& request, const runtime::Outcome& outcome) {
  std::string out;
  for (const std::string& note : outcome.notes) out += fmt::format("note: {}\n", printable(note, 2000));
  const chip::Chip& chip = outcome.chip;
  const int64_t used = outcome.program.limits.cores;
  return out + fmt::format("{} on {}, {}: {}{} {} at {}\n", fitted(request.source.file.filename().string(), 60),
                           printable(chip.name), hadal::name_of(outcome.precision),
                           used < chip.cores ? fmt::format("{} of ", used) : "", chip.cores,
                           chip.cores == 1 ? "core" : "cores", scaled(chip.clock.hertz, "Hz"));
}

std::string expected_text(const runtime::Outcome& outcome) {
  Table table({{}, {}, {}});
  for (const runtime::Comparison& c : outcome.expected)
    table.add({fitted(c.name, 40), c.ok ? "ok" : "DIFFERS",
               fmt::format("error {:.2e}, tolerance {:.2e}", c.error, c.tolerance)});
  return "\nexpected\n" + table.text("  ");
}

/// What bounds the whole model at best.
std::string_view roof_of(const Facts& facts) {
  if (facts.roofline_memory_cycles >= facts.roofline_cycles) return "memory";
  return facts.roofline_matrix_cycles >= facts.roofline_cycles ? "matrix" : "vector";
}

std::string figures_text(const runtime::Outcome& outcome, const Facts& facts) {
  const machine::Timing& timing = *outcome.timing;
  const chip::Chip& chip = outcome.chip;
  const std::string macs = scaled(static_cast<double>(facts.macs), "MAC");
  const double peak =
      facts.roofline_matrix_cycles > 0 ? facts.matrix_macs / chip.seconds(facts.roofline_matrix_cycles) : 0;
  Table table({{}, {"", Align::right}, {}});
  table.add(
      {"time", scaled(*facts.seconds, "s"),
       fmt::format("{} cycles, of which {} are the launch", grouped(timing.cycles), grouped(timing.launch_cycles))});
  table.add({"matrix", percent(*facts.matrix_utilization),
             peak > 0 ? fmt::format("of {}; the model has {}", scaled(peak, "MAC/s"), macs)
                      : fmt::format("nothing for the arrays; the model has {}", macs)});
  table.add({"memory", percent(*facts.bandwidth_utilization),
             fmt::format("of {}; read {}, written {}", scaled(chip.memory.bytes_per_second, "B/s"),
                         scaled(static_cast<double>(timing.bytes_read), "B"),
                         scaled(static_cast<double>(timing.bytes_written), "B"))});
  table.add({"roofline", percent(timing.cycles > 0 ? facts.roofline_cycles / static_cast<double>(timing.cycles) : 0),
             fmt::format("at best {} cycles, bound by {}", grouped(whole(facts.roofline_cycles)), roof_of(facts))});
  const std::string ops = facts.host_ops.empty() ? "no operations on the host"
                                                 : fmt::format("{} {} on the host", facts.host_ops.size(),
                                                               facts.host_ops.size() == 1 ? "operation" : "operations");
  table.add({"host", percent(*facts.seconds > 0 ? timing.host_seconds / *facts.seconds : 0),
             fmt::format("{}; link {}", ops, scaled(static_cast<double>(timing.host_bytes), "B"))});
  std::string out = "\n" + table.text("  ");
  for (const HostOp& op : facts.host_ops)
    out += fmt::format("    {} for {}: {}\n", printable(op.function), fitted(op.layer->name, 40),
                       scaled(op.seconds.value_or(0), "s"));
  return out;
}

/// Indices of the layers with the most cycles, in the model's order.
std::vector<size_t> longest(const Facts& facts, size_t most) {
  std::vector<size_t> order(facts.layers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (order.size() > most) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return facts.layers[a].time->cycles > facts.layers[b].time->cycles; });
    order.resize(most);
    std::sort(order.begin(), order.end());
  }
  return order;
}

std::string layers_text(const runtime::Outcome& outcome, const Facts& facts, size_t most) {
  const auto shown = longest(facts, most);
  Table table({{"layer"},
               {"op"},
               {"engine"},
               {"cycles", Align::right},
               {"share", Align::right},
               {"MACs", Align::right},
               {"bytes", Align::right},
               {"bound by"},
               {"roofline", Align::right}});
  const auto total = static_cast<double>(std::max<int64_t>(outcome.timing->cycles, 1));
  int64_t cycles_shown = 0;
  for (const size_t i : shown) {
    const LayerFacts& layer = facts.layers[i];
    const machine::LayerTime& time = *layer.time;
    const auto cycles = static_cast<double>(time.cycles);
    cycles_shown += time.cycles;
    table.add({fitted(layer.layer->name, 36), fitted(layer.layer->op, 20), std::string(name_of(layer.engine)),
               grouped(time.cycles), percent(cycles / total),
               layer.layer->macs > 0 ? scaled(static_cast<double>(layer.layer->macs), "") : "-",
               scaled(static_cast<double>(time.bytes_read + time.bytes_written), "B"),
               std::string(machine::name_of(time.bound)),
               time.cycles > 0 ? percent(layer.roofline_cycles / cycles) : "-"});
  }
  std::string out = "\n" + table.text("  ");
  if (shown.size() < facts.layers.size())
    out += fmt::format("  the {} longest of {} layers, {} of the cycles; --layers all shows every one\n", shown.size(),
                       facts.layers.size(), percent(static_cast<double>(cycles_shown) / total));
  return out +
         "  roofline: the least cycles that a layer's arithmetic and compulsory bytes take, as a share of its own\n";
}

std::string frames_text(double rate) { return rate < 1000 ? fmt::format("{:.4g}", rate) : grouped(whole(rate)); }

std::string repeats_text(const runtime::Request& request, const runtime::Repeats& repeats) {
  std::string out = fmt::format("\n{} warm runs\n", repeats.runs);
  const auto spread = [](const runtime::Spread& s) {
    return fmt::format("median {}, p50 {}, p99 {}", scaled(s.median, "s"), scaled(s.p50, "s"), scaled(s.p99, "s"));
  };
  if (repeats.chip)
    out += fmt::format("  chip       {}; {} frames/s with host and chip overlapped\n", spread(*repeats.chip),
                       frames_text(repeats.frames_per_second));
  if (repeats.functional)
    out += fmt::format("  simulator  {}; {} of its threads' time in kernels\n", spread(*repeats.functional),
                       percent(repeats.kernel_share));
  if (repeats.deadline_met)
    out += fmt::format("  deadline   {}: {}\n", scaled(*request.deadline_seconds, "s"),
                       *repeats.deadline_met ? "met by the chip's p99" : "MISSED by the chip's p99");
  return out;
}

std::string simulator_text(const runtime::Request& request, const runtime::Outcome& outcome) {
  std::string parts = outcome.compiled
                          ? fmt::format("compile {}", scaled(outcome.import_seconds + outcome.compile_seconds, "s"))
                          : fmt::format("read {}", scaled(outcome.import_seconds, "s"));
  if (request.check) parts += fmt::format(", check {}", scaled(outcome.check_seconds, "s"));
  if (request.values) parts += fmt::format(", values {}", scaled(outcome.functional_seconds, "s"));
  if (request.timing) parts += fmt::format(", timing {}", scaled(outcome.timing_seconds, "s"));
  if (outcome.timing && outcome.timing->extrapolated > 0)
    parts += fmt::format(" ({} of {} instructions extrapolated)",
                         grouped(static_cast<int64_t>(outcome.timing->extrapolated)),
                         grouped(static_cast<int64_t>(outcome.timing->events.at("instructions"))));
  return fmt::format("\nsimulator: {}; {} of memory at most, {} {}\n", parts,
                     scaled(static_cast<double>(runtime::peak_memory()), "B"), request.threads,
                     request.threads == 1 ? "thread" : "threads");
}

}  // namespace

std::string checked_text(const machine::Checked& checked) {
  return fmt::format(
      "checked: {} instructions with {} accesses; no order of queues, cores and transfers changes a value\n",
      grouped(static_cast<int64_t>(checked.instructions)), grouped(static_cast<int64_t>(checked.accesses)));
}

std::string summary_of(const runtime::Request& request, const runtime::Outcome& outcome, const Facts& facts,
                       size_t layers_most) {
  std::string out = head_text(request, outcome);
  if (!outcome.outputs.empty()) out += "\noutputs\n" + outputs_text(outcome);
  if (!outcome.expected.empty()) out += expected_text(outcome);
  if (outcome.checked) out += "\n" + checked_text(*outcome.checked);
  if (outcome.timing) {
    out += figures_text(outcome, facts);
    const bool timed =
        std::all_of(facts.layers.begin(), facts.layers.end(), [](const LayerFacts& layer) { return layer.time; });
    if (timed && !facts.layers.empty() && layers_most > 0) out += layers_text(outcome, facts, layers_most);
  }
  if (facts.counts_agree == false)
    out += "\nnote: the two machines executed different numbers of instructions: some count depends on data\n";
  if (outcome.repeats) out += repeats_text(request, *outcome.repeats);
  return out + simulator_text(request, outcome);
}

}  // namespace hadal::report
