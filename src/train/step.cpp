#include "train/step.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "base/suggest.h"
#include "graph/differentiate.h"
#include "graph/simplify.h"

namespace hadal::train {

namespace ops = graph::ops;
using graph::Builder;
using graph::Graph;
using graph::Term;
using graph::ValueId;

namespace {

/// The op that makes a value, seen through what only moves it.
const graph::Op* maker_of(const Graph& graph, ValueId v) {
  for (;;) {
    const int32_t producer = graph.value(v).producer;
    if (producer < 0) return nullptr;
    const graph::Node& node = graph.nodes[static_cast<size_t>(producer)];
    const bool moves = node.op == &ops::reshape || node.op == &ops::transpose || node.op == &ops::cast;
    if (!moves) return node.op == &ops::softmax && node.attributes.integer("log") ? nullptr : node.op;
    v = node.inputs[0];
  }
}

/// Losses are of logits: probabilities would be normalised twice.
Status check_output(const Graph& graph, const StepOptions& options) {
  const ValueId output = graph.outputs[0];
  const std::string name = printable(graph.value(output).name);
  if (!is_float(graph.type(output).dtype))
    return Error{"train.output",
                 fmt::format("the output is of {}; a loss needs floats", name_of(graph.type(output).dtype)),
                 fmt::format("output \"{}\"", name)};
  const graph::Op* const maker = maker_of(graph, output);
  const bool normalised = (options.loss->name == "cross_entropy" && maker == &ops::softmax) ||
                          (options.loss->name == "bce" && maker == &ops::sigmoid);
  if (!normalised) return {};
  return Error{"train.softmax",
               fmt::format("the model ends in {}, and {} is a loss of logits, which applies it itself", maker->name,
                           options.loss->name),
               fmt::format("output \"{}\"", name),
               fmt::format("export the model without its last node, or make that node's input the output")};
}

class StepMaker {
 public:
  StepMaker(onnx::Imported& imported, const StepOptions& options)
      : b_(std::move(imported.graph)),
        parameters_(imported.parameters),
        running_(imported.running),
        options_(options) {}

  Step make(const graph::Type& label);

 private:
  void find_inputs();
  void fix(ValueId v);
  ValueId add_input(const std::string& wanted, const graph::Type& type);
  void freeze();
  void update(ValueId parameter, ValueId gradient, const Schedule& schedule);
  void drop_unread(const std::vector<Term>& scalars);
  void add_state(const std::string& name, bool in_model, ValueId now, ValueId next, Tensor initial);

  Builder b_;
  const std::map<std::string, Tensor>& parameters_;
  const std::vector<onnx::Running>& running_;
  const StepOptions& options_;
  std::map<std::string, ValueId> inputs_;  ///< Parameters by name.
  std::set<std::string> frozen_;
  Step out_;
};

void StepMaker::find_inputs() {
  for (const ValueId v : b_.graph.inputs) {
    const std::string& name = b_.graph.value(v).name;
    if (parameters_.contains(name))
      inputs_[name] = v;
    else
      out_.data.push_back(name);
  }
}

/// An input becomes the constant that it holds.
void StepMaker::fix(ValueId v) {
  graph::Value& value = b_.graph.value(v);
  value.constant = parameters_.at(value.name);
  inputs_.erase(value.name);
  std::erase(b_.graph.inputs, v);
}

void StepMaker::freeze() {
  for (const std::string& pattern : options_.freeze) {
    std::set<std::string> hit;
    for (const auto& [name, tensor] : parameters_)
      if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) hit.insert(name);
    if (hit.empty()) {
      std::vector<std::string_view> names;
      for (const auto& [name, tensor] : parameters_) names.push_back(name);
      throw graph::Failure{Error{"train.freeze", fmt::format("no parameter is called \"{}\"", printable(pattern)),
                                 "--freeze", did_you_mean(pattern, names)}};
    }
    frozen_.merge(hit);
  }
  for (const std::string& name : frozen_)
    if (const auto input = inputs_.find(name); input != inputs_.end()) fix(input->second);
}

ValueId StepMaker::add_input(const std::string& wanted, const graph::Type& type) {
  std::string name = wanted;
  while (std::ranges::any_of(b_.graph.values, [&](const graph::Value& value) { return value.name == name; }))
    name += '_';
  return b_.graph.add_input(name, type);
}

void StepMaker::add_state(const std::string& name, bool in_model, ValueId now, ValueId next, Tensor initial) {
  if (b_.graph.value(next).producer < 0) next = b_.make(ops::reshape, {next}, {{"shape", b_.shape(next)}});
  out_.states.push_back({name, in_model, now, next, std::move(initial)});
  b_.graph.outputs.push_back(next);
}

void StepMaker::update(ValueId parameter, ValueId gradient, const Schedule& schedule) {
  const std::string name = b_.graph.value(parameter).name;
  const graph::Type type = b_.type(parameter);
  b_.begin_origin(name + ".update");
  const auto kept = options_.optimizer->states(options_.optimizer_options);
  std::vector<Term> states;
  for (const std::string_view state : kept) states.push_back({&b_, add_input(fmt::format("{}/{}", name, state), type)});
  const std::vector<Term> next =
      options_.optimizer->update({&b_, parameter}, {&b_, gradient}, states, schedule, options_.optimizer_options);
  add_state(name, true, parameter, next[0].id, parameters_.at(name));
  for (size_t i = 0; i < states.size(); ++i)
    add_state(b_.graph.value(states[i].id).name, false, states[i].id, next[i + 1].id,
              graph::filled(type.dtype, type.shape, 0));
  ++out_.trained;
  out_.elements += hadal::elements(type.shape);
}

/// Of the scalars of the schedule, an optimiser may read some.
void StepMaker::drop_unread(const std::vector<Term>& scalars) {
  for (const Term& scalar : scalars) {
    const auto reads = [&](const graph::Node& node) { return std::ranges::count(node.inputs, scalar.id) > 0; };
    if (std::ranges::any_of(b_.graph.nodes, reads))
      out_.schedule.push_back(b_.graph.value(scalar.id).name);
    else
      out_.schedule.emplace_back(), std::erase(b_.graph.inputs, scalar.id);
  }
}

Step StepMaker::make(const graph::Type& label) {
  find_inputs();
  freeze();
  const ValueId output = b_.graph.outputs[0];
  b_.graph.outputs.clear();
  const ValueId given = add_input(std::string(label_name), label);
  out_.label = b_.graph.value(given).name;
  b_.begin_origin("loss");
  const Term loss = loss_of(*options_.loss, {&b_, output}, {&b_, given}, options_.loss_options);
  b_.graph.outputs.push_back(loss.id);

  std::set<std::string> statistics;
  for (const onnx::Running& running : running_) statistics.insert(running.parameter);
  graph::Values trained;
  for (const auto& [name, v] : inputs_)
    if (!statistics.contains(name)) trained.push_back(v);
  const graph::Values gradients = differentiate(b_, loss.id, trained);

  std::vector<Term> scalars;
  for (const std::string_view name : schedule_names)
    scalars.push_back({&b_, add_input(std::string(name), {DType::f32, {}})});
  const Schedule schedule{scalars[0], scalars[1], scalars[2]};
  for (size_t i = 0; i < trained.size(); ++i)
    if (gradients[i] == graph::absent)
      fix(trained[i]);
    else
      update(trained[i], gradients[i], schedule);
  if (out_.trained == 0)
    graph::fail("train.nothing", "no parameter is trained: no gradient reaches a float initialiser of rank 1 or more");
  for (const onnx::Running& running : running_)
    if (const auto input = inputs_.find(running.parameter); input != inputs_.end())
      add_state(running.parameter, true, input->second, running.updated, parameters_.at(running.parameter));
  drop_unread(scalars);
  out_.graph = std::move(b_.graph);
  return std::move(out_);
}

}  // namespace

Result<Step> make_step(onnx::Imported imported, const graph::Type& label, const StepOptions& options) {
  HADAL_CHECK(check_output(imported.graph, options));
  HADAL_CHECK(check_label(*options.loss, imported.graph.type(imported.graph.outputs[0]), label));
  try {
    return StepMaker(imported, options).make(label);
  } catch (graph::Failure& failure) {
    return std::move(failure.error);
  }
}

}  // namespace hadal::train
