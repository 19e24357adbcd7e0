// Losses as graph.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "graph/term.h"

namespace hadal::train {

struct LossOptions {
  std::optional<int64_t> ignore_index;  ///< Of cross_entropy: a class whose positions do not count.
  double label_smoothing = 0;           ///< Of cross_entropy: this share of the target is spread over all classes.
  double delta = 1;                     ///< Of huber: from this difference on it grows linearly.
};

/// A loss: a mean, of logits or values x [N, ...] and targets t.
struct Loss {
  std::string_view name, formula;
  /// Whether targets may be classes: integers, one for each row of logits.
  bool of_classes;
  graph::Term (*build)(const graph::Term& output, const graph::Term& label, const LossOptions&);
};
std::span<const Loss> losses();
/// The row of that name, or null.
const Loss* loss_named(std::string_view name);

/// The axis of the logits that classes of this shape leave out: 1 as in ONNX, else the last; none if neither fits.
std::optional<int64_t> class_axis(const Shape& logits, const Shape& classes);

/// Whether these targets fit the output: classes (integers) where the loss has them, else of the output's shape, axes
/// of extent 1 aside. Errors: train.label.
Status check_label(const Loss& loss, const graph::Type& output, const graph::Type& label);

/// The loss of an output, a float of one element. Throws Failure.
graph::Term loss_of(const Loss& loss, const graph::Term& output, const graph::Term& label, const LossOptions& options);

}  // namespace hadal::train
