#include "train/loss.h"

#include <algorithm>
#include <numeric>

namespace hadal::train {

namespace ops = graph::ops;
using graph::Integers;
using graph::Term;

namespace {

Integers all_axes(const Term& x) {
  Integers axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}
Term mean(const Term& x) { return x.reduced("mean", all_axes(x), false); }
Term sum(const Term& x) { return x.reduced("sum", all_axes(x), false); }

/// Of probabilities: -sum t log p. Of classes: a position that is ignored counts neither above nor below the line.
Term cross_entropy(const Term& x, const Term& t, const LossOptions& options) {
  const bool classes = !is_float(t.dtype());
  const int64_t axis = classes ? *class_axis(x.shape(), t.shape()) : x.shape().size() > 1 ? 1 : 0;
  const auto at = static_cast<size_t>(axis);
  const Term log = x.apply(ops::softmax, {{"axis", axis}, {"log", int64_t{1}}});
  if (!classes) return -mean((log * t).reduced("sum", {axis}, false));
  Shape one = x.shape(), along(x.shape().size(), 1);
  along[at] = one[at];
  one[at] = 1;
  const Term is_class = equal(t.reshaped(one), graph::positions(x.b(), x.shape()[at]).as(t.dtype()).reshaped(along));
  Term loss = -where(is_class, log, log.number(0)).reduced("sum", {axis}, false);
  if (options.label_smoothing != 0)
    loss = loss * (1 - options.label_smoothing) - log.reduced("mean", {axis}, false) * options.label_smoothing;
  if (!options.ignore_index) return mean(loss);
  const Term ignored = equal(t, t.with(x.b().cast(x.b().integer(*options.ignore_index), t.dtype())));
  const Term counted = sum(where(ignored, loss.number(0), loss.number(1)));
  return sum(where(ignored, loss.number(0), loss)) / max(counted, counted.number(1));
}

Term mse(const Term& x, const Term& t, const LossOptions&) { return mean((x - t) * (x - t)); }
Term l1(const Term& x, const Term& t, const LossOptions&) { return mean((x - t).apply(ops::abs)); }
Term huber(const Term& x, const Term& t, const LossOptions& options) {
  const Term d = x - t, size = d.apply(ops::abs);
  return mean(where(size < options.delta, d * d * 0.5, (size - options.delta / 2) * options.delta));
}
Term bce(const Term& x, const Term& t, const LossOptions&) { return mean(x.apply(ops::softplus) - x * t); }

constexpr Loss rows[] = {
    {"cross_entropy", "-log softmax(x)[t], or -sum t log softmax(x)", true, cross_entropy},
    {"mse", "(x - t)^2", false, mse},
    {"l1", "|x - t|", false, l1},
    {"huber", "(x - t)^2 / 2 where |x - t| < delta, else delta (|x - t| - delta / 2)", false, huber},
    {"bce", "-t log sigmoid(x) - (1 - t) log(1 - sigmoid(x))", false, bce},
};

Shape without_ones(Shape shape) {
  std::erase(shape, 1);
  return shape;
}

}  // namespace

std::span<const Loss> losses() { return rows; }

const Loss* loss_named(std::string_view name) {
  const auto found = std::ranges::find(rows, name, &Loss::name);
  return found == std::end(rows) ? nullptr : found;
}

std::optional<int64_t> class_axis(const Shape& logits, const Shape& classes) {
  for (const size_t axis : {size_t{1}, logits.size() - 1}) {
    if (logits.size() < 2) break;
    Shape rest = logits;
    rest.erase(rest.begin() + static_cast<int64_t>(axis));
    if (rest == classes) return static_cast<int64_t>(axis);
  }
  return std::nullopt;
}

Status check_label(const Loss& loss, const graph::Type& output, const graph::Type& label) {
  const bool classes = loss.of_classes && !is_float(label.dtype);
  if (classes ? class_axis(output.shape, label.shape).has_value()
              : without_ones(label.shape) == without_ones(output.shape))
    return {};
  return Error{"train.label",
               fmt::format("the batch's labels are {}[{}], which does not fit the output, {}", name_of(label.dtype),
                           text_of(label.shape), text_of(output.shape)),
               "array \"label\"",
               loss.of_classes
                   ? "give one class (an integer) for each row of logits, or probabilities of the output's shape"
                   : "give targets of the output's shape"};
}

Term loss_of(const Loss& loss, const Term& output, const Term& label, const LossOptions& options) {
  const bool classes = loss.of_classes && !is_float(label.dtype());
  return loss.build(output, classes ? label : label.as(output.dtype()).reshaped(output.shape()), options);
}

}  // namespace hadal::train
