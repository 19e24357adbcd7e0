#include "train/run.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/units.h"
#include "graph/builder.h"
#include "isa/crc32c.h"
#include "machine/functional/run.h"
#include "onnx/write.h"
#include "runtime/compile_graph.h"
#include "runtime/session.h"
#include "runtime/stopwatch.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/metrics.h"
#include "train/not_finite.h"

namespace hadal::train {

namespace {

/// What a batch's labels are: classes as i64, else of the output's float type.
graph::Type label_type(const Tensor& labels, int64_t batch, const Loss& loss, DType output) {
  graph::Type type{loss.of_classes && !is_float(labels.dtype) ? DType::i64 : output, labels.shape};
  type.shape[0] = batch;
  return type;
}

/// The batch's shapes of the model's inputs.
Result<std::map<std::string, Shape>> batch_shapes(const Request& request, const Dataset& data) {
  HADAL_TRY(const onnx::ModelSummary model, onnx::summarize_model(request.source.file));
  std::map<std::string, Shape> shapes;
  for (const onnx::ModelInput& input : model.inputs) {
    HADAL_TRY(const Tensor array, array_named(data, input.name));
    shapes.emplace(input.name, array.shape).first->second[0] = request.batch;
  }
  return shapes;
}

std::string crc_of_file(const std::filesystem::path& path, int64_t largest) {
  const auto bytes = read_file(path, largest);
  return bytes ? fmt::format("{:08x}", isa::crc32c(*bytes)) : "";
}

class Run {
 public:
  Run(const Request& request, const std::function<bool(const Progress&)>& on_step)
      : request_(request), on_step_(on_step) {}

  Result<Outcome> operator()();

 private:
  Status prepare();
  Status read_columns(const graph::Type& label, const graph::Type& output);
  Status start();
  Status resume();
  Status train();
  Status finish();
  Result<double> step(machine::ValueMachine& machine, Order& order, int64_t number);
  void give_inputs(const std::vector<int64_t>& samples, int64_t number);
  [[nodiscard]] Identity identity() const;
  Status save();
  [[nodiscard]] size_t port_of(const std::string& name) const;
  [[nodiscard]] bool saves(int64_t number) const {
    return request_.checkpoint && (number % request_.checkpoint_every == 0 || number == out_.steps);
  }

  const Request& request_;
  const std::function<bool(const Progress&)>& on_step_;
  Dataset data_;
  std::map<std::string, Tensor> columns_;  ///< By input of the step.
  Step step_;
  runtime::Loaded loaded_;
  std::vector<Tensor> inputs_;  ///< Of the next step, in the program's order.
  std::vector<size_t> ports_;   ///< The program's input that holds each state.
  std::optional<Metrics> metrics_;
  Outcome out_;
};

size_t Run::port_of(const std::string& name) const {
  const auto& ports = loaded_.program.inputs;
  return static_cast<size_t>(std::ranges::find(ports, name, &isa::Port::name) - ports.begin());
}

Status Run::read_columns(const graph::Type& label, const graph::Type& output) {
  HADAL_TRY(const Tensor labels, column(data_, std::string(label_name), label));
  if (label.dtype == DType::i64)
    if (const auto axis = class_axis(output.shape, label.shape))
      HADAL_CHECK(check_classes(data_, labels, output.shape[static_cast<size_t>(*axis)],
                                request_.step.loss_options.ignore_index));
  columns_.emplace(step_.label, labels);
  for (const std::string& name : step_.data) {
    const auto v =
        std::ranges::find_if(step_.graph.inputs, [&](graph::ValueId i) { return step_.graph.value(i).name == name; });
    HADAL_TRY(columns_[name], column(data_, name, step_.graph.type(*v)));
  }
  return {};
}

Status Run::prepare() {
  const auto progress = [&](const char* stage) {
    if (request_.source.progress) request_.source.progress(stage);
  };
  progress("data");
  HADAL_TRY(data_, read_dataset(request_.data, request_.source.memory_limit));
  progress("import");
  onnx::ImportOptions import;
  HADAL_TRY(import.shapes, batch_shapes(request_, data_));
  import.memory_limit = request_.source.memory_limit;
  import.training = true;
  HADAL_TRY(onnx::Imported imported, onnx::import_model(request_.source.file, import));
  out_.notes = imported.notes;
  const graph::Type output = imported.graph.type(imported.graph.outputs[0]);
  HADAL_TRY(const Tensor labels, array_named(data_, std::string(label_name)));
  const graph::Type label = label_type(labels, request_.batch, *request_.step.loss, output.dtype);
  progress("differentiate");
  HADAL_TRY(step_, make_step(std::move(imported), label, request_.step));
  HADAL_CHECK(read_columns(label, output));
  HADAL_TRY(loaded_, runtime::compile_graph(step_.graph, request_.source));
  progress("timing");
  chip::Chip used = loaded_.chip;
  used.cores = std::min<int64_t>(loaded_.program.limits.cores, used.cores);
  HADAL_TRY(out_.timing, machine::time_program(loaded_.program, used, {}));
  return {};
}

Identity Run::identity() const {
  const OptimizerOptions& o = request_.step.optimizer_options;
  const LossOptions& l = request_.step.loss_options;
  return {{"model", crc_of_file(request_.source.file, request_.source.memory_limit)},
          {"--data", crc_of_file(request_.data, request_.source.memory_limit)},
          {"--loss", fmt::format("{} {} {} {}", request_.step.loss->name,
                                 l.ignore_index ? std::to_string(*l.ignore_index) : "-", l.label_smoothing, l.delta)},
          {"--optimizer", std::string(request_.step.optimizer->name)},
          {"--lr", fmt::format("{}", o.rate)},
          {"--momentum", fmt::format("{}{}", o.momentum, o.nesterov ? " nesterov" : "")},
          {"--weight-decay", fmt::format("{}", o.weight_decay)},
          {"--batch", fmt::format("{}", request_.batch)},
          {"--seed", fmt::format("{}{}", request_.seed, request_.shuffle ? "" : " no-shuffle")},
          {"--freeze", fmt::format("{}", fmt::join(request_.step.freeze, " "))}};
}

Status Run::resume() {
  if (!request_.checkpoint) return {};
  if (!request_.resume) {
    if (!has_checkpoints(*request_.checkpoint)) return {};
    return Error{"train.checkpoints", "the folder holds checkpoints of a run", printable(request_.checkpoint->string()),
                 "go on from them with --resume, or give another folder"};
  }
  HADAL_TRY(const auto found,
            load_checkpoint(*request_.checkpoint, identity(), request_.source.memory_limit, out_.notes));
  if (!found) return {};
  for (size_t i = 0; i < step_.states.size(); ++i) {
    const auto tensor = found->tensors.find(step_.states[i].name);
    if (tensor == found->tensors.end() || tensor->second.shape != step_.states[i].initial.shape ||
        tensor->second.dtype != step_.states[i].initial.dtype)
      return Error{"checkpoint.run",
                   fmt::format("it has no tensor \"{}\" of that type", printable(step_.states[i].name)),
                   printable(request_.checkpoint->string())};
    inputs_[ports_[i]] = tensor->second;
  }
  out_.first = out_.done = found->step;
  return {};
}

/// The state before the first step of this run.
Status Run::start() {
  const int64_t needed = runtime::memory_needed(loaded_.program, loaded_.chip);
  if (needed > request_.source.memory_limit)
    return Error{"train.memory",
                 fmt::format("the values need about {}, the limit is {}",
                             quantity_text(static_cast<double>(needed), Unit::bytes),
                             quantity_text(static_cast<double>(request_.source.memory_limit), Unit::bytes)),
                 printable(request_.source.file.string()), "a smaller --batch, or --no-values for the time alone"};
  inputs_.resize(loaded_.program.inputs.size());
  for (const State& state : step_.states) {
    ports_.push_back(port_of(step_.graph.value(state.now).name));
    inputs_[ports_.back()] = state.initial;
  }
  HADAL_CHECK(resume());
  if (request_.metrics) {
    HADAL_TRY(metrics_, Metrics::open(*request_.metrics, out_.done));
  }
  return {};
}

void Run::give_inputs(const std::vector<int64_t>& samples, int64_t number) {
  for (const auto& [name, values] : columns_) inputs_[port_of(name)] = rows_of(values, samples);
  const std::vector<double> schedule = schedule_at(request_.step.optimizer_options, number);
  for (size_t i = 0; i < schedule.size(); ++i)
    if (!step_.schedule[i].empty()) inputs_[port_of(step_.schedule[i])] = graph::filled(DType::f32, {}, schedule[i]);
}

/// The results of a step are the state of the next: its bytes change hands, and are not copied.
Result<double> Run::step(machine::ValueMachine& machine, Order& order, int64_t number) {
  give_inputs(order.of_step(number), number);
  machine::ValueCounts counts;
  HADAL_TRY(const std::vector<Tensor> results, machine.run(inputs_, counts));
  const double loss = number_at(results[0], 0);
  if (!std::isfinite(loss)) {
    std::vector<Tensor> by_graph;
    for (const graph::ValueId v : step_.graph.inputs) by_graph.push_back(inputs_[port_of(step_.graph.value(v).name)]);
    return Error{"train.nan",
                 fmt::format("the loss of step {} is {}: {}", number, loss, first_not_finite(step_.graph, by_graph)),
                 printable(request_.source.file.string()), "a smaller --lr, or data in a smaller range"};
  }
  for (size_t i = 0; i < ports_.size(); ++i) inputs_[ports_[i]] = results[1 + i];
  return loss;
}

Status Run::save() {
  Checkpoint checkpoint{out_.done, {}};
  for (size_t i = 0; i < step_.states.size(); ++i) checkpoint.tensors.emplace(step_.states[i].name, inputs_[ports_[i]]);
  return save_checkpoint(*request_.checkpoint, identity(), checkpoint, request_.checkpoints_kept);
}

Status Run::train() {
  machine::ValueOptions options;
  options.threads = request_.source.threads;
  options.round_products_to_bf16 = loaded_.chip.matrix.f32_passes == 1;
  HADAL_TRY(const auto machine,
            machine::ValueMachine::make(loaded_.program,
                                        std::min<int64_t>(loaded_.program.limits.cores, loaded_.chip.cores), options));
  Order order(data_.samples, request_.batch, request_.shuffle, request_.seed);
  runtime::Stopwatch watch;
  while (out_.done < out_.steps && !out_.interrupted) {
    const int64_t number = out_.done + 1;
    HADAL_TRY(const double loss, step(*machine, order, number));
    out_.done = number;
    out_.last_loss = loss;
    if (!out_.first_loss) out_.first_loss = loss;
    if (metrics_) HADAL_CHECK(metrics_->add(number, loss, out_.timing.cycles));
    out_.train_seconds += watch.lap();
    const double rate = static_cast<double>((number - out_.first) * request_.batch) / out_.train_seconds;
    out_.interrupted = !on_step_({number, out_.steps, loss, rate}) && number < out_.steps;
    if (saves(number) || (request_.checkpoint && out_.interrupted)) HADAL_CHECK(save());
  }
  return {};
}

Status Run::finish() {
  if (!request_.output) return {};
  std::map<std::string, Tensor> weights;
  for (size_t i = 0; i < step_.states.size(); ++i)
    if (step_.states[i].in_model) weights.emplace(step_.states[i].name, inputs_[ports_[i]]);
  return onnx::write_model(request_.source.file, weights, *request_.output);
}

Result<Outcome> Run::operator()() {
  runtime::Stopwatch watch;
  HADAL_CHECK(prepare());
  out_.chip = loaded_.chip.name;
  out_.clock = 1 / loaded_.chip.seconds(1);
  out_.samples = data_.samples;
  out_.batch = request_.batch;
  out_.trained = step_.trained;
  out_.elements = step_.elements;
  out_.steps =
      request_.steps ? *request_.steps : (*request_.epochs * data_.samples + request_.batch - 1) / request_.batch;
  out_.prepare_seconds = watch.lap();
  if (!request_.values) return std::move(out_);
  HADAL_CHECK(start());
  HADAL_CHECK(train());
  HADAL_CHECK(finish());
  return std::move(out_);
}

}  // namespace

Result<Outcome> run(const Request& request, const std::function<bool(const Progress&)>& on_step) {
  return Run(request, on_step)();
}

}  // namespace hadal::train
