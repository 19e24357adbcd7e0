// hadal train: a model, data, a loss and an optimiser to a trained model.
#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <cmath>
#include <csignal>

#include "base/suggest.h"
#include "cli/console.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "report/text.h"
#include "runtime/resources.h"
#include "train/run.h"

namespace hadal::cli {

namespace {

constexpr int64_t most = int64_t{1} << 40;

struct TrainFlags {
  std::string model, data, loss, optimizer = "sgd";
  std::optional<std::string> chip, precision, memory_limit, lr, momentum, weight_decay, batch, steps, epochs, seed;
  std::optional<std::string> label_smoothing, ignore_index, metrics, output, checkpoint, checkpoint_every;
  std::vector<std::string> freeze;
  bool nesterov = false, no_shuffle = false, no_values = false, resume = false;
};

constexpr const char* footer =
    R"(The .npz holds arrays named as the model's inputs, and "label": classes (integers), or targets of the output's shape.
Trained are the float initialisers of rank 1 and more that a gradient reaches. Batch norm goes by the batch, and keeps its
running statistics. Ctrl-C saves what there is, and ends.

Examples:
  hadal train --model cnn.onnx --data digits.npz --loss cross_entropy --optimizer sgd --lr 0.05 --momentum 0.9
              --batch 32 --steps 200 --metrics run.jsonl --output trained.onnx
  hadal train --model cnn.onnx --data digits.npz --loss cross_entropy --epochs 10 --checkpoint run --resume --output t.onnx
  hadal train --model cnn.onnx --data digits.npz --loss cross_entropy --no-values      cycles of a step)";

/// Ctrl-C, and the polite way to end a process, end a run after the present step; a second one at once.
std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");
void ask_to_stop(int signal) {
  stop_asked = true;
  std::signal(signal, SIG_DFL);
}

Result<double> read_number(const std::optional<std::string>& text, std::string_view flag, double otherwise,
                           double least, double below) {
  if (!text) return otherwise;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc{} && end == text->data() + text->size() && value >= least && value < below) return value;
  return Error{"usage.value",
               fmt::format("{} needs a number from {} up{}, found \"{}\"", flag, least,
                           std::isfinite(below) ? fmt::format(", below {}", below) : "", printable(*text, 60))};
}

/// The row of a table by its name. Errors: usage.value.
template <class Row>
Result<const Row*> row_named(const std::string& name, std::string_view flag, std::span<const Row> rows) {
  std::vector<std::string_view> names;
  for (const Row& row : rows) {
    if (row.name == name) return &row;
    names.push_back(row.name);
  }
  std::string list;
  for (const std::string_view known : names) list += (list.empty() ? "" : ", ") + std::string(known);
  return Error{"usage.value",
               fmt::format("{} needs one of {}, found \"{}\"", flag, list, printable(name, 60)),
               {},
               did_you_mean(name, names)};
}

Status read_step(const TrainFlags& flags, train::StepOptions& step) {
  HADAL_TRY(step.loss, row_named(flags.loss, "--loss", train::losses()));
  HADAL_TRY(step.optimizer, row_named(flags.optimizer, "--optimizer", train::optimizers()));
  train::OptimizerOptions& o = step.optimizer_options;
  HADAL_TRY(o.rate, read_number(flags.lr, "--lr", step.optimizer->name == "sgd" ? 0.01 : 0.001, 0, INFINITY));
  HADAL_TRY(o.momentum, read_number(flags.momentum, "--momentum", 0, 0, 1));
  HADAL_TRY(o.weight_decay, read_number(flags.weight_decay, "--weight-decay", 0, 0, INFINITY));
  o.nesterov = flags.nesterov;
  if (step.optimizer->name != "sgd" && (flags.momentum || flags.nesterov))
    return Error{"usage.contradiction",
                 fmt::format("--momentum and --nesterov are of sgd, not of {}", step.optimizer->name)};
  if (flags.nesterov && o.momentum == 0) return Error{"usage.contradiction", "--nesterov needs --momentum above 0"};
  if (step.loss->name != "cross_entropy" && (flags.label_smoothing || flags.ignore_index))
    return Error{"usage.contradiction", "--label-smoothing and --ignore-index are of cross_entropy"};
  HADAL_TRY(step.loss_options.label_smoothing, read_number(flags.label_smoothing, "--label-smoothing", 0, 0, 1));
  if (flags.ignore_index) {
    HADAL_TRY(step.loss_options.ignore_index, read_integer(*flags.ignore_index, "--ignore-index", -most, most));
  }
  step.freeze = flags.freeze;
  return {};
}

Status read_counts(const TrainFlags& flags, train::Request& request) {
  if (flags.steps && flags.epochs)
    return Error{"usage.contradiction", "--steps and --epochs both say how long to train"};
  if (flags.batch) {
    HADAL_TRY(request.batch, read_integer(*flags.batch, "--batch", 1, most));
  }
  if (flags.steps) {
    HADAL_TRY(request.steps, read_integer(*flags.steps, "--steps", 1, most));
  }
  if (flags.epochs) {
    HADAL_TRY(request.epochs, read_integer(*flags.epochs, "--epochs", 1, 1'000'000));
  }
  if (!flags.steps && !flags.epochs) request.epochs = 1;
  if (flags.seed) {
    HADAL_TRY(const int64_t seed, read_integer(*flags.seed, "--seed", 0, INT64_MAX));
    request.seed = static_cast<uint64_t>(seed);
  }
  if (flags.checkpoint_every) {
    HADAL_TRY(request.checkpoint_every, read_integer(*flags.checkpoint_every, "--checkpoint-every", 1, most));
  }
  return {};
}

Status read_files(const TrainFlags& flags, train::Request& request) {
  request.data = flags.data;
  if (flags.output) {
    HADAL_CHECK(check_output("--output", *flags.output, flags.model));
    request.output = *flags.output;
  }
  if (flags.metrics) {
    HADAL_CHECK(check_output("--metrics", *flags.metrics, flags.data));
    request.metrics = *flags.metrics;
  }
  if (flags.checkpoint) {
    HADAL_CHECK(check_output_folder("--checkpoint", *flags.checkpoint));
    request.checkpoint = *flags.checkpoint;
  } else if (flags.resume || flags.checkpoint_every) {
    return Error{"usage.contradiction", "--resume and --checkpoint-every need --checkpoint FOLDER"};
  }
  if (!flags.no_values && !flags.output)
    return Error{"usage.arguments",
                 "--output is missing: the file for the trained model",
                 {},
                 "or --no-values for the time alone"};
  return {};
}

Result<train::Request> request_of(const TrainFlags& flags) {
  train::Request request;
  if (flags.precision) {
    HADAL_TRY(const DType precision, read_precision(*flags.precision));
    if (precision != DType::f32)
      return Error{"usage.value", fmt::format("--precision {} is not supported: a step of training computes in f32",
                                              name_of(precision))};
  }
  ModelFlags model;
  model.model = flags.model;
  model.chip = flags.chip;
  model.memory_limit = flags.memory_limit;
  HADAL_TRY(request.source, model.source());
  HADAL_CHECK(read_step(flags, request.step));
  HADAL_CHECK(read_counts(flags, request));
  HADAL_CHECK(read_files(flags, request));
  request.shuffle = !flags.no_shuffle;
  request.values = !flags.no_values;
  request.resume = flags.resume;
  return request;
}

std::string text_of(const train::Outcome& out, const TrainFlags& flags) {
  std::string text;
  for (const std::string& note : out.notes) text += fmt::format("note: {}\n", printable(note, 2000));
  const auto cycles = static_cast<double>(out.timing.cycles);
  text += fmt::format("{}: {} tensors trained, {} numbers; batches of {} from {} samples\n", printable(flags.model),
                      out.trained, out.elements, out.batch, out.samples);
  text += fmt::format("on {}, a step takes {} cycles, {}: {:.0f} samples/s; {} of memory read, {} written\n",
                      printable(out.chip), out.timing.cycles, report::scaled(cycles / out.clock, "s"),
                      static_cast<double>(out.batch) * out.clock / cycles,
                      report::scaled(static_cast<double>(out.timing.bytes_read), "B"),
                      report::scaled(static_cast<double>(out.timing.bytes_written), "B"));
  if (flags.no_values) return text;
  if (out.first > 0) text += fmt::format("resumed behind step {}\n", out.first);
  if (out.first_loss)
    text += fmt::format("step {} of {}: loss {:.6g}, {:.6g} at step {}; {} on this computer\n", out.done, out.steps,
                        *out.last_loss, *out.first_loss, out.first + 1, report::scaled(out.train_seconds, "s"));
  if (out.interrupted) text += fmt::format("interrupted behind step {}; what was learnt so far is saved\n", out.done);
  return text + fmt::format("written: {}\n", printable(*flags.output));
}

Result<int> execute(const TrainFlags& flags) {
  HADAL_TRY(train::Request request, request_of(flags));
  runtime::limit_memory(request.source.memory_limit);
  Progress progress;
  request.source.progress = [&](const std::string& stage) { progress.show(stage); };
  if (request.values)
    for (const int signal : {SIGINT, SIGTERM})
      if (std::signal(signal, ask_to_stop) == SIG_IGN) std::signal(signal, SIG_IGN);
  const auto on_step = [&](const train::Progress& at) {
    progress.show(
        fmt::format("step {}/{}, loss {:.5g}, {:.0f} samples/s", at.step, at.steps, at.loss, at.samples_per_second));
    return !stop_asked.load();
  };
  HADAL_TRY(const train::Outcome outcome, train::run(request, on_step));
  progress.clear();
  HADAL_CHECK(put(stdout, text_of(outcome, flags)));
  return 0;
}

void add_flags(CLI::App& app, TrainFlags& flags) {
  const char* what = "Model and data";
  app.add_option("--model", flags.model, "A .onnx model")->type_name("FILE")->required()->group(what);
  app.add_option("--data", flags.data, "Arrays of samples")->type_name("FILE.npz")->required()->group(what);
  app.add_option("--loss", flags.loss, "cross_entropy, mse, l1, huber or bce")
      ->type_name("NAME")
      ->required()
      ->group(what);
  app.add_option("--label-smoothing", flags.label_smoothing, "Of cross_entropy; default 0")
      ->type_name("SHARE")
      ->group(what);
  app.add_option("--ignore-index", flags.ignore_index, "Of cross_entropy: a class that does not count")
      ->type_name("CLASS")
      ->group(what);
  app.add_option("--chip", flags.chip, "A shipped chip or a .toml file; default: hadal-1")
      ->type_name("NAME|FILE")
      ->group(what);
  app.add_option("--precision", flags.precision, "f32")->type_name("TYPE")->group(what);
  app.add_option("--memory-limit", flags.memory_limit, "Memory of this computer; default: 80 % of what is usable")
      ->type_name("SIZE")
      ->group(what);
  const char* how = "How to train";
  app.add_option("--optimizer", flags.optimizer, "sgd, adam or adamw; default sgd")->type_name("NAME")->group(how);
  app.add_option("--lr", flags.lr, "Learning rate; default 0.01, of adam and adamw 0.001")
      ->type_name("RATE")
      ->group(how);
  app.add_option("--momentum", flags.momentum, "Of sgd; default 0")->type_name("SHARE")->group(how);
  app.add_flag("--nesterov", flags.nesterov, "Nesterov's momentum")->group(how);
  app.add_option("--weight-decay", flags.weight_decay, "Coupled; of adamw decoupled; default 0")
      ->type_name("RATE")
      ->group(how);
  app.add_option("--batch", flags.batch, "Samples a step; default 32")->type_name("COUNT")->group(how);
  app.add_option("--steps", flags.steps, "How long to train")->type_name("COUNT")->group(how);
  app.add_option("--epochs", flags.epochs, "The same in passes over the data; default 1")
      ->type_name("COUNT")
      ->group(how);
  app.add_flag("--no-shuffle", flags.no_shuffle, "Take samples as they stand")->group(how);
  app.add_option("--seed", flags.seed, "Of the order of samples; default 0")->type_name("NUMBER")->group(how);
  app.add_option("--freeze", flags.freeze, "Parameters that stay as they are; may be repeated")
      ->type_name("PATTERN")
      ->expected(1)
      ->take_all()
      ->group(how);
  app.add_flag("--no-values", flags.no_values, "Only the time of a step")->group(how);
  const char* results = "Results";
  app.add_option("-o,--output", flags.output, "The trained model")->type_name("FILE.onnx")->group(results);
  app.add_option("--metrics", flags.metrics, "Loss and cycles of each step, a JSON object a line")
      ->type_name("FILE.jsonl")
      ->group(results);
  app.add_option("--checkpoint", flags.checkpoint, "A folder for the state of the run")
      ->type_name("FOLDER")
      ->group(results);
  app.add_option("--checkpoint-every", flags.checkpoint_every, "Default 100")->type_name("STEPS")->group(results);
  app.add_flag("--resume", flags.resume, "Go on from the last good checkpoint")->group(results);
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  CLI::App& train = *app.add_subcommand("train", "Train a model on the chip");
  auto flags = std::make_shared<TrainFlags>();
  add_flags(train, *flags);
  train.footer(footer);
  train.callback([flags, &action] { action = [flags] { return execute(*flags); }; });
}

}  // namespace hadal::cli
