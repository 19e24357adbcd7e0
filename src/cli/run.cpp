// hadal run: values, cycles and the reasons.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/files.h"
#include "cli/console.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "report/json.h"
#include "report/summary.h"
#include "report/trace.h"
#include "runtime/resources.h"
#include "runtime/session.h"

namespace hadal::cli {

namespace {

constexpr int64_t repeat_most = 1'000'000;

struct RunFlags {
  ModelFlags model;
  std::vector<std::string> inputs, expected;
  std::optional<std::string> tolerance, output_dir, json, trace, repeat, deadline, threads, seed, layers;
  std::string numerics = "fast", memory = "fast";
  bool check = false, no_values = false, no_timing = false, no_extrapolation = false;
};

constexpr const char* footer =
    R"(Inputs that are not given are made up from --seed: floats uniform in [0,1), integers 0 or 1.
A picture is read as RGB in 0..1, resized to the input; options follow its name:
  order=bgr                       blue first
  mean=0.485:0.456:0.406          one number, or one a channel; value = (pixel - mean) * scale
  scale=4.367:4.464:4.444

Exit code: 0; 1 where something is wrong, or an output is not as expected; 2 for a wrong command line.

Examples:
  hadal run model.onnx --input data=x.npy --expected prob=y.npy
  hadal run detector.onnx --input image=cat.png,order=bgr --output-dir out --json out/run.json
  hadal run bert.onnx --shape ids=1,128 --precision bf16 --no-values --trace bert.pftrace
  hadal run model.onnx --repeat 100 --deadline 5ms)";

Error contradiction(std::string message) { return Error{"usage.contradiction", std::move(message)}; }

/// What is to be written can be.
Status check_outputs(const RunFlags& flags) {
  if (flags.json) HADAL_CHECK(check_output("--json", *flags.json, flags.model.model));
  if (flags.trace) HADAL_CHECK(check_output("--trace", *flags.trace, flags.model.model));
  if (flags.json && flags.trace && std::filesystem::path(*flags.json) == std::filesystem::path(*flags.trace))
    return contradiction("--json and --trace name the same file");
  if (flags.output_dir) HADAL_CHECK(check_output_folder("--output-dir", *flags.output_dir));
  return {};
}

/// Flags that exclude each other.
Status check(const RunFlags& flags) {
  if (flags.no_values && flags.no_timing) return contradiction("--no-values and --no-timing leave nothing to do");
  if (flags.no_values) {
    if (flags.output_dir) return contradiction("--output-dir needs values, which --no-values leaves out");
    if (!flags.expected.empty()) return contradiction("--expected needs values, which --no-values leaves out");
    if (flags.numerics == "exact") return contradiction("--numerics is about values, which --no-values leaves out");
  }
  if (flags.no_timing) {
    if (flags.trace) return contradiction("--trace needs timing, which --no-timing leaves out");
    if (flags.deadline) return contradiction("--deadline needs timing, which --no-timing leaves out");
    if (flags.layers) return contradiction("--layers is about timing, which --no-timing leaves out");
    if (flags.no_extrapolation)
      return contradiction("--no-extrapolation is about timing, which --no-timing leaves out");
    if (flags.memory == "exact") return contradiction("--memory is about timing, which --no-timing leaves out");
  }
  if (flags.tolerance && flags.expected.empty())
    return contradiction("--tolerance is about expected values: give --expected NAME=FILE.npy too");
  if (flags.deadline && !flags.repeat) return contradiction("--deadline is about repeated runs: give --repeat N too");
  if (flags.trace && !flags.trace->ends_with(".json") && !flags.trace->ends_with(".pftrace"))
    return Error{"usage.value", fmt::format("--trace needs a file that ends in .json or .pftrace, found \"{}\"",
                                            printable(*flags.trace))};
  return {};
}

Status read_numbers(const RunFlags& flags, runtime::Request& request) {
  HADAL_TRY(request.threads, read_threads(flags.threads));
  if (flags.seed) {
    HADAL_TRY(const int64_t seed, read_integer(*flags.seed, "--seed", 0, INT64_MAX));
    request.seed = static_cast<uint64_t>(seed);
  }
  if (flags.repeat) {
    HADAL_TRY(request.repeat, read_integer(*flags.repeat, "--repeat", 1, repeat_most));
  }
  if (flags.deadline) {
    HADAL_TRY(request.deadline_seconds, read_quantity(*flags.deadline, "--deadline", Unit::seconds));
  }
  if (flags.tolerance) {
    HADAL_TRY(request.tolerance, read_tolerance(*flags.tolerance));
  }
  return {};
}

Result<runtime::Request> request_of(const RunFlags& flags) {
  HADAL_CHECK(check(flags));
  runtime::Request request;
  HADAL_TRY(request.source, flags.model.source());
  HADAL_CHECK(read_numbers(flags, request));
  HADAL_TRY(const std::string numerics, read_choice(flags.numerics, "--numerics", {"fast", "exact"}));
  request.exact = numerics == "exact";
  HADAL_TRY(const std::string memory, read_choice(flags.memory, "--memory", {"fast", "exact"}));
  request.exact_memory = memory == "exact";
  request.extrapolate = !flags.no_extrapolation;
  for (const std::string& text : flags.inputs) {
    HADAL_TRY(auto input, runtime::parse_input(text));
    request.inputs.push_back(std::move(input));
  }
  for (const std::string& text : flags.expected) {
    HADAL_TRY(auto file, runtime::parse_named_file(text, "--expected"));
    request.expected.push_back(std::move(file));
  }
  if (flags.output_dir) request.output_dir = *flags.output_dir;
  request.check = flags.check;
  request.values = !flags.no_values;
  request.timing = !flags.no_timing;
  request.slices = flags.trace.has_value();
  return request;
}

/// How many layers the table shows.
Result<size_t> layers_most(const RunFlags& flags) {
  if (!flags.layers) return report::usual_layers;
  if (*flags.layers == "all") return SIZE_MAX;
  HADAL_TRY(const int64_t most, read_integer(*flags.layers, "--layers (all, or a number)", 0, INT64_MAX));
  return static_cast<size_t>(most);
}

/// Trace, JSON and the report; then the verdict on expected values.
Result<int> deliver(const RunFlags& flags, const runtime::Request& request, const runtime::Outcome& outcome,
                    size_t layers) {
  const report::Facts facts = report::facts_of(outcome);
  if (flags.trace)
    HADAL_CHECK(report::write_trace(*flags.trace, outcome.program, outcome.chip, *outcome.timing, outcome.slices));
  const bool to_stdout = flags.json == "-";
  if (flags.json) {
    const std::string json = report::json_of(request, outcome, facts);
    HADAL_CHECK(to_stdout ? put(stdout, json) : write_file(*flags.json, json));
  }
  HADAL_CHECK(put(to_stdout ? stderr : stdout, report::summary_of(request, outcome, facts, layers)));
  for (const runtime::Comparison& c : outcome.expected)
    if (!c.ok)
      return fail(
          Error{"expected.mismatch", fmt::format("output \"{}\" is not as expected: error {:.3e}, tolerance {:.3e}",
                                                 printable(c.name), c.error, c.tolerance)});
  return 0;
}

Result<int> execute(const RunFlags& flags) {
  HADAL_TRY(runtime::Request request, request_of(flags));
  HADAL_TRY(const size_t layers, layers_most(flags));
  HADAL_CHECK(check_outputs(flags));
  runtime::limit_memory(request.source.memory_limit);
  Progress progress;
  request.source.progress = [&](const std::string& stage) { progress.show(stage); };
  HADAL_TRY(const runtime::Outcome outcome, runtime::run(request));
  progress.clear();
  return deliver(flags, request, outcome, layers);
}

void add_data_flags(CLI::App& run, RunFlags& flags) {
  constexpr const char* group = "Inputs and outputs";
  run.add_option("--input", flags.inputs, "An input from a file: .npy, .png or .jpg; may be repeated")
      ->type_name("NAME=FILE[,OPTIONS]")
      ->expected(1)
      ->take_all()
      ->group(group);
  run.add_option("--seed", flags.seed, "Of inputs that are not given; default: 0")->type_name("N")->group(group);
  run.add_option("--expected", flags.expected, "What an output should be; may be repeated")
      ->type_name("NAME=FILE.npy")
      ->expected(1)
      ->take_all()
      ->group(group);
  run.add_option("--tolerance", flags.tolerance,
                 "Of --expected: largest max |got - want| / max |want|; default: 1e-3 in f32, 2e-2 in bf16")
      ->type_name("REL")
      ->group(group);
  run.add_option("--output-dir", flags.output_dir, "Write every output there as .npy")->type_name("DIR")->group(group);
}

void add_report_flags(CLI::App& run, RunFlags& flags) {
  constexpr const char* group = "Report";
  run.add_option("--json", flags.json, "Write the report as JSON; - is stdout, and the text goes to stderr")
      ->type_name("FILE|-")
      ->group(group);
  run.add_option("--trace", flags.trace, "Write a timeline: .pftrace for Perfetto, .json for Chrome")
      ->type_name("FILE")
      ->group(group);
  run.add_option("--layers", flags.layers, "Layers that the table shows, the longest first; default: 15")
      ->type_name("N|all")
      ->group(group);
}

void add_machine_flags(CLI::App& run, RunFlags& flags) {
  constexpr const char* group = "What is run, and how";
  run.add_flag("--check", flags.check, "First check that no order of queues, cores and transfers can change a value")
      ->group(group);
  run.add_flag("--no-values", flags.no_values, "Only time it; the weights' values are not needed")->group(group);
  run.add_flag("--no-timing", flags.no_timing, "Only compute the values")->group(group);
  run.add_option("--repeat", flags.repeat, "Run N times more after the first, and tell median, p50 and p99")
      ->type_name("N")
      ->group(group);
  run.add_option("--deadline", flags.deadline, "With --repeat: does the chip's p99 meet it? Such as 100ms")
      ->type_name("TIME")
      ->group(group);
  run.add_option("--threads", flags.threads, "Threads of this computer; default: all usable CPUs")
      ->type_name("N")
      ->group(group);
  run.add_option("--numerics", flags.numerics,
                 "fast: vectorised kernels (default); exact: plain loops in a fixed order, slow")
      ->type_name("fast|exact")
      ->group(group);
  run.add_option("--memory", flags.memory,
                 "Timing of the chip's DRAM. fast: row by row (default); exact: command by command, slow")
      ->type_name("fast|exact")
      ->group(group);
  run.add_flag("--no-extrapolation", flags.no_extrapolation,
               "Time every trip of steady loops, of which else most are counted and not run")
      ->group(group);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App& run = *app.add_subcommand("run", "Run a model or a program: values, cycles and what bounds them");
  auto flags = std::make_shared<RunFlags>();
  flags->model.add_to(run, "A .onnx model, or a program: its file, or its text (.hasm)");
  add_data_flags(run, *flags);
  add_report_flags(run, *flags);
  add_machine_flags(run, *flags);
  run.footer(footer);
  run.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
