// One step of training as a graph: forward, loss, backward and update.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnx/import.h"
#include "train/loss.h"
#include "train/optimizer.h"

namespace hadal::train {

inline constexpr std::string_view label_name = "label";

struct StepOptions {
  const Loss* loss = nullptr;
  LossOptions loss_options = {};
  const Optimizer* optimizer = nullptr;
  OptimizerOptions optimizer_options = {};
  std::vector<std::string> freeze = {};  ///< Patterns as of a shell, of parameters that stay as they are.
};

/// A tensor that a step reads, and gives a new value for the next one.
struct State {
  std::string name;     ///< The initialiser's, or "INITIALISER/momentum".
  bool in_model;        ///< An initialiser, rather than what the optimiser keeps for one.
  graph::ValueId now;   ///< An input of the graph,
  graph::ValueId next;  ///< and an output.
  Tensor initial;
};

struct Step {
  graph::Graph graph;  ///< Outputs: the loss, then every state's `next`, in order.
  std::vector<State> states;
  std::vector<std::string> data;      ///< Inputs of the model, that a batch gives.
  std::vector<std::string> schedule;  ///< Inputs with the values of `schedule_at`; empty where nothing reads one.
  std::string label;
  int64_t trained = 0, elements = 0;  ///< Parameters that the optimiser moves, and their elements.
};

/// Makes the step of an imported model (imported for training) from its first output's loss. `label` is the type of a
/// batch's labels. Errors: train.softmax (an output that is not logits), train.label, train.output, train.freeze (a
/// pattern that no parameter has), train.nothing (no parameter that a gradient reaches), gradient.*.
Result<Step> make_step(onnx::Imported imported, const graph::Type& label, const StepOptions& options);

}  // namespace hadal::train
