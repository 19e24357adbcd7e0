// hadal inspect: what is in a model, what runs where, what it needs. Runs nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>

#include "cli/console.h"
#include "cli/flags.h"
#include "isa/encode.h"
#include "isa/file.h"
#include "onnx/import.h"
#include "report/facts.h"
#include "report/text.h"
#include "runtime/operators.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

using Align = report::Table::Align;

std::string size_text(uint64_t bytes) { return report::scaled(static_cast<double>(bytes), "B"); }

/// Where the nodes of an operator run.
std::string place_text(const std::string& type) {
  static const std::vector<onnx::OperatorInfo> known = onnx::operators();
  const auto op = std::ranges::find(known, type, &onnx::OperatorInfo::name);
  if (op == known.end()) return "not known, unless the model defines it";
  switch (runtime::place_of(*op)) {
    case runtime::Place::import:
      return "known when the model is read";
    case runtime::Place::view:
      return "chip, as a view";
    case runtime::Place::chip:
      return "chip";
    case runtime::Place::host:
      return "host";
    case runtime::Place::nowhere:
      return "not supported, unless its inputs are constants";
  }
  return "";
}

std::string model_text(const onnx::ModelSummary& model) {
  report::Table ports({{}, {}, {}});
  for (const auto& input : model.inputs) ports.add({"input", report::fitted(input.name, 40), printable(input.type)});
  for (const auto& output : model.outputs)
    ports.add({"output", report::fitted(output.name, 40), printable(output.type)});
  report::Table counts({{"operator"}, {"nodes", Align::right}, {"runs"}});
  for (const auto& [op, count] : model.node_counts)
    counts.add({report::fitted(op, 50), fmt::format("{}", count), place_text(op)});
  std::string opsets;
  for (const auto& [domain, version] : model.opsets)
    opsets +=
        fmt::format("{}{} {}", opsets.empty() ? "" : ", ", domain.empty() ? "ai.onnx" : printable(domain), version);
  return fmt::format("opsets {}; weights {}\n{}\n{}", opsets, size_text(static_cast<uint64_t>(model.parameter_bytes)),
                     ports.text("  "), counts.text("  "));
}

std::string program_text(const isa::Program& program) {
  report::Table ports({{}, {}, {}});
  const auto add = [&](const char* what, const std::vector<isa::Port>& list) {
    for (const isa::Port& port : list)
      ports.add({what, report::fitted(port.name, 40), fmt::format("{}[{}]", name_of(port.dtype), text_of(port.shape))});
  };
  add("input", program.inputs);
  for (const isa::FixedInput& input : program.fixed)
    ports.add({"input", report::fitted(input.name, 40),
               fmt::format("{}[{}], fixed", name_of(input.dtype), text_of(input.shape))});
  add("output", program.outputs);
  return fmt::format("a program for {}, {}; {} instructions in {}\n{}", printable(program.chip),
                     printable(program.precision), program.code.size(), size_text(isa::code_bytes(program)),
                     ports.text("  "));
}

/// Layers by the engine that does most for them.
std::string engines_text(const report::Facts& facts) {
  struct Share {
    int layers = 0;
    uint64_t macs = 0;
  };
  std::map<report::Engine, Share> shares;
  for (const report::LayerFacts& layer : facts.layers) {
    shares[layer.engine].layers += 1;
    shares[layer.engine].macs += layer.layer->macs;
  }
  report::Table table({{"engine"}, {"layers", Align::right}, {"MACs", Align::right}});
  for (const auto& [engine, share] : shares)
    table.add({std::string(report::name_of(engine)), fmt::format("{}", share.layers),
               report::scaled(static_cast<double>(share.macs), "")});
  std::string out = table.text("  ");
  for (const report::HostOp& op : facts.host_ops)
    out += fmt::format("  on the host: {} for {}\n", printable(op.function), printable(op.layer->name));
  return out;
}

std::string layers_text(const report::Facts& facts) {
  report::Table table({{"layer"},
                       {"op"},
                       {"engine"},
                       {"type"},
                       {"MACs", Align::right},
                       {"compulsory", Align::right},
                       {"roofline cycles", Align::right},
                       {"nodes"}});
  for (const report::LayerFacts& layer : facts.layers) {
    table.add({report::fitted(layer.layer->name, 36), report::fitted(layer.layer->op, 20),
               std::string(report::name_of(layer.engine)), std::string(name_of(layer.layer->precision)),
               report::scaled(static_cast<double>(layer.layer->macs), ""), size_text(layer.layer->compulsory_bytes),
               report::grouped(report::whole(layer.roofline_cycles)),
               report::fitted(report::listed(layer.layer->nodes, 60), 60)});
  }
  return table.text("  ");
}

std::string memory_text(const isa::Program& program, const chip::Chip& chip) {
  static constexpr std::array<std::string_view, 5> kinds{"inputs", "outputs", "weights", "scratch", "kept on chip"};
  std::array<uint64_t, kinds.size()> bytes{};
  for (const isa::Region& region : program.regions) bytes[static_cast<size_t>(region.kind)] += region.bytes;
  report::Table table({{}, {"", Align::right}, {}});
  for (size_t i = 0; i < kinds.size(); ++i) table.add({std::string(kinds[i]), size_text(bytes[i]), ""});
  const isa::Limits& limits = program.limits;
  table.add({"memory", size_text(limits.memory_bytes),
             fmt::format("of {}", size_text(static_cast<uint64_t>(chip.memory.bytes)))});
  table.add({"scratchpad of a core", size_text(limits.scratchpad_bytes),
             fmt::format("of {}", size_text(static_cast<uint64_t>(chip.scratchpad.bytes)))});
  table.add({"this computer, for values", size_text(static_cast<uint64_t>(runtime::memory_needed(program, chip))), ""});
  return table.text("  ");
}

struct InspectFlags {
  ModelFlags model;
  bool ops = false;
};

Result<int> execute(const InspectFlags& flags) {
  if (flags.ops) {
    HADAL_CHECK(put(stdout, runtime::operators_reference()));
    return 0;
  }
  HADAL_TRY(runtime::Source source, flags.model.source());
  runtime::limit_memory(source.memory_limit);
  source.allow_absent_data = true;
  if (!runtime::is_program(source.file)) {
    HADAL_TRY(const onnx::ModelSummary model, onnx::summarize_model(source.file));
    HADAL_CHECK(put(stdout, model_text(model)));
  }
  HADAL_TRY(runtime::Loaded loaded, runtime::load(source));
  runtime::Outcome outcome{std::move(loaded.program), std::move(loaded.chip)};
  const report::Facts facts = report::facts_of(outcome);
  std::string text;
  if (!loaded.compiled) text = program_text(outcome.program);
  for (const std::string& note : loaded.notes) text += fmt::format("\nnote: {}\n", printable(note, 2000));
  text += fmt::format("\non {}, at best {} cycles, {}\n{}", printable(outcome.chip.name),
                      report::grouped(report::whole(facts.roofline_cycles)),
                      report::scaled(outcome.chip.seconds(facts.roofline_cycles), "s"), engines_text(facts));
  text += fmt::format("\n{}\nmemory\n{}", layers_text(facts), memory_text(outcome.program, outcome.chip));
  HADAL_CHECK(put(stdout, text));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  CLI::App& inspect =
      *app.add_subcommand("inspect", "Tell what is in a model, what runs where and what is unsupported; runs nothing");
  auto flags = std::make_shared<InspectFlags>();
  flags->model.add_to(inspect, "A .onnx model, or a program: its file, or its text (.hasm)");
  flags->model.add_inputs_to(inspect);
  CLI::Option* const model = inspect.get_option("MODEL");
  inspect.add_flag("--ops", flags->ops, "Without a model: print which operators a model may have (docs/ops.md)");
  model->required(false);
  inspect.footer("Examples:\n  hadal inspect model.onnx --chip hadal-edge\n  hadal inspect --ops");
  inspect.callback([flags, model, &action] {
    if (!flags->ops && model->count() == 0) throw CLI::RequiredError("MODEL");
    if (flags->ops && model->count() > 0) throw CLI::ExcludesError("--ops", "MODEL");
    action = [flags] { return execute(*flags); };
  });
}

}  // namespace hadal::cli
