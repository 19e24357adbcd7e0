#include <algorithm>
#include <cmath>
#include <numeric>

#include "isa/table.h"
#include "isa/text.h"
#include "report/explanation.h"
#include "report/text.h"

namespace hadal::report {

namespace {

using Align = Table::Align;

/// Less than this share of the time is not worth a line.
constexpr double worth_a_line = 0.002;
constexpr size_t waits_shown = 2, instruction_width = 160;

double share(int64_t cycles, int64_t of) {
  return static_cast<double>(cycles) / static_cast<double>(std::max<int64_t>(1, of));
}
int64_t sum(const PathCycles& path) { return std::accumulate(path.begin(), path.end(), int64_t{0}); }
std::string_view spent_name(size_t spent) { return machine::name_of(static_cast<machine::Spent>(spent)); }

/// Kinds with the most cycles first.
std::vector<size_t> by_cycles(const PathCycles& path) {
  std::vector<size_t> kinds(path.size());
  std::iota(kinds.begin(), kinds.end(), size_t{0});
  std::ranges::stable_sort(kinds, std::greater{}, [&](size_t kind) { return path[kind]; });
  return kinds;
}

std::string path_text(const Explanation& explanation) {
  Table table({{}, {"", Align::right}, {"", Align::right}});
  for (const size_t kind : by_cycles(explanation.path))
    if (const int64_t cycles = explanation.path[kind]; cycles > 0)
      table.add({std::string(spent_name(kind)), grouped(cycles), percent(share(cycles, explanation.cycles))});
  return "\ncritical path: the chain of causes that the time is made of, in cycles\n" + table.text("  ");
}

std::string queues_text(const Explanation& explanation) {
  Table table({{"queue"}, {"busy", Align::right}, {"waits", Align::right}, {"most for"}});
  for (const QueueShare& queue : explanation.queues) {
    std::string most;
    for (size_t i = 0; i < std::min(waits_shown, queue.waits.size()); ++i)
      most += fmt::format("{}{} {}", most.empty() ? "" : ", ", fitted(queue.waits[i].semaphore, 40),
                          percent(queue.waits[i].share));
    table.add({std::string(isa::name_of(queue.queue)), percent(queue.busy), percent(queue.waiting), most});
  }
  return "\nqueues: shares of the time, the mean of the cores; the semaphores that they waited for\n" +
         table.text("  ");
}

std::string levers_text(const Explanation& explanation) {
  Table table({{}, {"", Align::right}, {}, {}, {"", Align::right}, {"", Align::right}});
  size_t left = 0;
  for (const runtime::Lever& lever : explanation.levers) {
    const double change = share(lever.cycles, explanation.cycles) - 1;
    if (std::abs(change) < worth_a_line) {
      ++left;
      continue;
    }
    table.add({lever.field, lever.before, "->", lever.after, grouped(lever.cycles),
               fmt::format("{}{}", change < 0 ? "-" : "+", percent(std::abs(change)))});
  }
  return "\nlevers: the same program on a chip with one figure twice as good, in cycles\n" + table.text("  ") +
         (left > 0 ? fmt::format("  and {} that change less than {}\n", left, percent(worth_a_line)) : "");
}

/// "matrix 61 %, signals 20 %": what most of a layer's part went to.
std::string mostly(const PathCycles& path) {
  std::string text;
  for (const size_t kind : by_cycles(path))
    if (const double part = share(path[kind], sum(path)); part >= 0.1)
      text += fmt::format("{}{} {:.0f} %", text.empty() ? "" : ", ", spent_name(kind), 100 * part);
  return text;
}

std::string layers_text(const Explanation& explanation, const Facts& facts, size_t most) {
  std::vector<size_t> layers(facts.layers.size());
  std::iota(layers.begin(), layers.end(), size_t{0});
  std::ranges::stable_sort(layers, std::greater{}, [&](size_t i) { return sum(explanation.layers[i]); });
  Table table(
      {{"layer"}, {"op"}, {"path", Align::right}, {"share", Align::right}, {"roofline", Align::right}, {"mostly"}});
  for (size_t i = 0; i < std::min(most, layers.size()); ++i) {
    const LayerFacts& layer = facts.layers[layers[i]];
    const PathCycles& path = explanation.layers[layers[i]];
    table.add({fitted(layer.layer->name, 36), fitted(layer.layer->op, 20), grouped(sum(path)),
               percent(share(sum(path), explanation.cycles)), grouped(whole(layer.roofline_cycles)), mostly(path)});
  }
  return "\nlayers: their parts of the path, the longest first\n" + table.text("  ");
}

}  // namespace

std::string text_of(const Explanation& explanation, const runtime::Outcome& outcome, const Facts& facts,
                    const std::string& name, size_t layers_most) {
  const std::string head =
      fmt::format("{} on {}, {}: {} cycles, {}; {} of its roofline\n", fitted(name, 60), printable(outcome.chip.name),
                  hadal::name_of(outcome.precision), grouped(explanation.cycles), scaled(*facts.seconds, "s"),
                  percent(facts.roofline_cycles / static_cast<double>(std::max<int64_t>(1, explanation.cycles))));
  return head + path_text(explanation) + queues_text(explanation) + levers_text(explanation) +
         layers_text(explanation, facts, layers_most);
}

std::string layer_text(const Explanation& explanation, const runtime::Outcome& outcome, size_t layer) {
  const isa::Program& program = outcome.program;
  const std::vector<std::string> texts = isa::instruction_texts(program);
  Table table({{"path", Align::right},
               {"runs", Align::right},
               {"cycles", Align::right},
               {"waits", Align::right},
               {"instruction"}});
  size_t depth = 0;
  for (size_t i = 0; i < program.code.size(); ++i) {
    const isa::Opcode op = program.code[i].op;
    if (op == isa::Opcode::end) --depth;
    const std::string text = fitted(std::string(2 * depth, ' ') + texts[i], instruction_width);
    if (op == isa::Opcode::loop) ++depth;
    if (program.source[i] != layer || op == isa::Opcode::let) continue;
    const Profile& profile = explanation.profile[i];
    if (profile.runs == 0) {
      table.add({"", "", "", "", text});
      continue;
    }
    table.add({profile.path > 0 ? grouped(profile.path) : "", grouped(profile.runs),
               grouped(profile.busy / profile.runs), grouped(profile.waiting / profile.runs), text});
  }
  const std::vector<std::string>& nodes = program.layers[layer].nodes;
  return fmt::format("\n{} ({}){}: cycles on the path; runs on all cores; mean cycles of a run and of its wait\n{}",
                     printable(program.layers[layer].name), printable(program.layers[layer].op),
                     nodes.empty() ? "" : ", of " + listed(nodes, 60), table.text("  "));
}

}  // namespace hadal::report
