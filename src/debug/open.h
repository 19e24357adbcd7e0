// A model or a program made ready to be debugged.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "debug/bisect.h"
#include "debug/session.h"
#include "runtime/load.h"
#include "runtime/values.h"

namespace hadal::debug {

/// What is asked for besides the source.
struct Wish {
  std::vector<runtime::GivenInput> inputs = {};  ///< Others are made up.
  uint64_t seed = 0;
  bool exact = false;  ///< Instructions as plain loops.
};

/// What a run needs besides program and chip.
struct Start {
  std::vector<Tensor> inputs = {};  ///< As the program stores them; copies.
  machine::ValueOptions options = {};
  int64_t cores = 1;
};

/// Inputs that are not given are made up. Errors: input.*; limits.* of a chip that is too small; run.budget;
/// memory.limit, program.weights.
Result<Start> start_of(const runtime::Loaded& loaded, std::vector<runtime::GivenInput> given, uint64_t seed,
                       const runtime::ValueSettings& settings);

struct Subject {
  runtime::Loaded loaded;
  Start start;

  /// The subject outlives the session. Errors: those of Session::of.
  [[nodiscard]] Result<Session> session() const {
    return Session::of(loaded.program, loaded.chip, loaded.text, start.options, start.inputs);
  }
};

/// Errors: those of runtime::load and of start_of.
Result<Subject> open(runtime::Source source, Wish wish);

/// Bisects the source; of a program, against the model that it was compiled from, as `model` says: its chip, shapes and
/// precision are the program's, where they are not told. Errors: those of `open` and of debug::bisect; debug.model, a
/// program without a model, or a model with one.
Result<Bisection> bisect(const runtime::Source& source, const std::optional<runtime::Source>& model, Wish wish,
                         std::optional<double> tolerance, isa::Program* program);

}  // namespace hadal::debug
