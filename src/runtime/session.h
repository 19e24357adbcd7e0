// One request, from files to values and cycles.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/check/run.h"
#include "machine/functional/run.h"
#include "machine/timing/run.h"
#include "runtime/inputs.h"
#include "runtime/load.h"
#include "runtime/outputs.h"
#include "runtime/values.h"

namespace hadal::runtime {

/// Everything that `hadal run` can be asked.
struct Request {
  Source source;
  std::vector<NamedFile> inputs = {};
  std::vector<NamedFile> expected = {};
  std::optional<double> tolerance = {};
  std::optional<std::filesystem::path> output_dir = {};
  bool values = true, timing = true;
  bool check = false;   ///< Before anything is run, that no order of queues can change a value.
  bool slices = false;  ///< For a trace.
  int64_t repeat = 0;   ///< Runs after a warm-up; 0: one cold run only.
  std::optional<double> deadline_seconds = {};
  int threads = 1;
  uint64_t seed = 0;
  bool exact = false;         ///< Instructions as plain loops.
  bool exact_memory = false;  ///< The chip's DRAM command by command.
  bool extrapolate = true;    ///< Most trips of steady loops are counted and not run.
};

/// Times of several runs, seconds.
struct Spread {
  double median = 0, p50 = 0, p99 = 0;
};
Spread spread_of(std::vector<double> seconds);

/// Runs back to back, after the cold one.
struct Repeats {
  int64_t runs = 0;
  std::optional<Spread> chip;        ///< Simulated time of a run, from launch to the last store.
  double frames_per_second = 0;      ///< Simulated: the host's part of a run overlaps the chip's part of others.
  std::optional<bool> deadline_met;  ///< By p99 of the chip's time.
  std::optional<Spread> functional;  ///< Wall time of the functional machine.
  double kernel_share = 0;           ///< Of its threads' time, spent in kernels.
};

struct Outcome {
  isa::Program program;
  chip::Chip chip;
  DType precision = DType::f32;  ///< Of most multiply-accumulates.
  std::vector<std::string> notes = {};
  bool compiled = false, warm = false;
  std::vector<Tensor> outputs = {};  ///< Of the ports' own types; empty without values.
  std::vector<std::string> output_files = {};
  std::vector<Comparison> expected = {};
  std::optional<machine::Checked> checked = {};
  std::optional<machine::ValueCounts> values = {};
  std::optional<machine::Timing> timing = {};
  std::vector<machine::Slice> slices = {};
  std::optional<Repeats> repeats = {};
  double import_seconds = 0, compile_seconds = 0;  ///< Host time.
  double check_seconds = 0, functional_seconds = 0, timing_seconds = 0;
  int64_t memory_estimate = 0;  ///< Bytes that the values were expected to need.
};

/// Loads, computes, times, compares and writes outputs. A mismatch with expected values is no error: see
/// Outcome::expected. Errors: those of each part; what the check finds; memory.limit (before anything of that size is
/// allocated).
Result<Outcome> run(const Request& request);

/// The same with what `load` gave; `given` are the inputs with values.
Result<Outcome> run_loaded(const Request& request, Loaded loaded, std::vector<GivenInput> given);

}  // namespace hadal::runtime
