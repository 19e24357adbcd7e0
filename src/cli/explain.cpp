// hadal explain: why a model takes as long as it does.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/files.h"
#include "cli/console.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "debug/layers.h"
#include "report/explanation.h"
#include "report/summary.h"
#include "runtime/resources.h"

namespace hadal::cli {

namespace {

struct ExplainFlags {
  ModelFlags model;
  std::optional<std::string> layer, layers, json, threads;
};

/// The run that is to be explained, and the figures that would help it.
struct Explained {
  runtime::Outcome outcome;
  std::optional<size_t> layer;  ///< That was asked for.
  report::Explanation explanation;
};
Result<Explained> explained(const ExplainFlags& flags, Progress& progress) {
  runtime::Request request;
  HADAL_TRY(request.source, flags.model.source());
  HADAL_TRY(request.threads, read_threads(flags.threads));
  request.values = false;
  request.slices = true;
  runtime::limit_memory(request.source.memory_limit);
  request.source.progress = [&](const std::string& stage) { progress.show(stage); };
  HADAL_TRY(runtime::Outcome outcome, runtime::run(request));
  std::optional<size_t> layer;
  if (flags.layer) {
    const auto found = debug::layer_named(outcome.program, *flags.layer);
    if (!found) return Error{"usage.value", "--layer: " + found.error().message, {}, found.error().remedy};
    layer = *found;
  }
  progress.show("levers");
  HADAL_TRY(std::vector<runtime::Lever> levers, runtime::levers_of(outcome, request.threads));
  report::Explanation explanation = report::explain(outcome, std::move(levers));
  return Explained{std::move(outcome), layer, std::move(explanation)};
}

Result<int> execute(const ExplainFlags& flags) {
  int64_t layers = report::usual_layers;
  if (flags.layers) {
    HADAL_TRY(layers, read_integer(*flags.layers, "--layers", 0, INT64_MAX));
  }
  if (flags.json) HADAL_CHECK(check_output("--json", *flags.json, flags.model.model));
  Progress progress;
  HADAL_TRY(const Explained got, explained(flags, progress));
  progress.clear();
  const auto& [outcome, layer, explanation] = got;
  const report::Facts facts = report::facts_of(outcome);
  std::string text =
      report::text_of(explanation, outcome, facts, std::filesystem::path(flags.model.model).filename().string(),
                      static_cast<size_t>(layers));
  if (layer) text += report::layer_text(explanation, outcome, *layer);
  const bool to_stdout = flags.json == "-";
  if (flags.json) {
    const std::string json = report::json_of(explanation, outcome, facts);
    HADAL_CHECK(to_stdout ? put(stdout, json) : write_file(*flags.json, json));
  }
  HADAL_CHECK(put(to_stdout ? stderr : stdout, text));
  return 0;
}

constexpr const char* footer =
    R"(The critical path begins at the end and asks of each instruction why it could not be earlier: the one before it in
its queue, a signal that it waited for, or the sequencer that issued it. Its parts sum to the cycles. Levers time the
same program again with one figure of the chip changed; a model compiled for that chip may gain more.

Examples:
  hadal explain model.onnx --precision bf16
  hadal explain model.onnx --layer conv1 --layers 30)";

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  CLI::App& explain = *app.add_subcommand("explain", "Tell why a model takes as long as it does, and what would help");
  auto flags = std::make_shared<ExplainFlags>();
  flags->model.add_to(explain, "A .onnx model, or a program: its file, or its text (.hasm)");
  flags->model.add_inputs_to(explain);
  constexpr const char* group = "Explanation";
  explain.add_option("--layer", flags->layer, "A layer, or a node of the model, whose code to show with its cycles")
      ->type_name("NAME")
      ->group(group);
  explain.add_option("--layers", flags->layers, "Layers that the table shows; default: 15")
      ->type_name("N")
      ->group(group);
  explain.add_option("--json", flags->json, "Write it as JSON; - is stdout, and the text goes to stderr")
      ->type_name("FILE|-")
      ->group(group);
  explain.add_option("--threads", flags->threads, "Threads of this computer; default: all usable CPUs")
      ->type_name("N")
      ->group(group);
  explain.footer(footer);
  explain.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
