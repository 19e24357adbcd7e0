// A run of training, from files to a trained model.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "machine/timing/run.h"
#include "runtime/load.h"
#include "train/step.h"

namespace hadal::train {

/// Everything that `hadal train` can be asked.
struct Request {
  runtime::Source source;  ///< A model, whose inputs' shapes the data and the batch give.
  std::filesystem::path data;
  StepOptions step = {};
  int64_t batch = 32;
  std::optional<int64_t> steps = {}, epochs = {};  ///< One of them.
  bool shuffle = true;
  uint64_t seed = 0;
  bool values = true;  ///< Without: cycles of a step alone.
  std::optional<std::filesystem::path> output = {}, metrics = {}, checkpoint = {};
  int64_t checkpoint_every = 100;  ///< Steps.
  size_t checkpoints_kept = 3;
  bool resume = false;
};

/// What a step came to.
struct Progress {
  int64_t step = 0, steps = 0;    ///< Of the run, from 1.
  double loss = 0;                ///< Mean of the batch, before the step's update.
  double samples_per_second = 0;  ///< On this computer, since the run began.
};

struct Outcome {
  std::vector<std::string> notes = {};
  std::string chip;
  double clock = 0;             ///< Hz.
  machine::Timing timing = {};  ///< Of one step; all take as long.
  int64_t samples = 0, batch = 0, trained = 0, elements = 0;
  int64_t steps = 0, first = 0, done = 0;  ///< Asked for; done before this run; done in all.
  std::optional<double> first_loss = {}, last_loss = {};
  double prepare_seconds = 0, train_seconds = 0;  ///< Host time.
  bool interrupted = false;
};

/// Trains. After each step `on_step` is told; where it returns false the run is saved, and ends early. Errors: those of
/// the model, data and step; train.memory; train.nan (a loss that is not finite, with the step and the layer that began
/// it); checkpoint.*; train.checkpoints (a folder with another run's, where resume was not asked for).
Result<Outcome> run(const Request& request, const std::function<bool(const Progress&)>& on_step);

}  // namespace hadal::train
