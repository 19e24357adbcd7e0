// Losses of classification.
#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

/// Of log-probabilities [N,C,d...] and classes [N,d...]: minus the weighted log-probability of each class.
ValueId negative_log_likelihood(Site& n, const Term& log, const Term& target, ValueId weight) {
  const Shape x = log.shape(), classes = target.shape();
  Shape expected = x;
  if (x.size() < 2 || x[1] < 1) fail("onnx.shape", "the scores are {}", text_of(x));
  expected.erase(expected.begin() + 1);
  if (classes != expected) fail("onnx.shape", "the classes are {}, expected {}", text_of(classes), text_of(expected));
  if (weight != absent && n.b.shape(weight) != Shape{x[1]})
    fail("onnx.shape", "the weights are {}, expected one for each of {} classes", text_of(n.b.shape(weight)), x[1]);
  const std::string reduction = n.text("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    fail("onnx.attribute", "reduction: '{}' is not known", printable(reduction));

  const Term index = target.as(DType::i64);
  const auto ignored = [&] { return equal(index, index.with(n.b.integer(n.integer("ignore_index")))); };
  const Term at = n.has("ignore_index") ? where(ignored(), index.number(0), index) : index;
  Shape apart = classes;
  apart.insert(apart.begin() + 1, 1);
  Term loss = -log.apply(ops::gather_elements, at.reshaped(apart), {{"axis", int64_t{1}}}).reshaped(classes);
  std::optional<Term> weights;
  if (weight != absent) weights = Term{&n.b, weight}.gathered(at, 0);
  if (n.has("ignore_index")) {
    if (!weights) weights = loss.number(1).broadcast(classes);
    weights = where(ignored(), loss.number(0), *weights);
  }
  if (weights) loss = loss * *weights;
  if (reduction == "none") return loss.id;
  Integers all;
  for (int64_t i = 0; i < std::ssize(classes); ++i) all.push_back(i);
  if (reduction == "sum") return loss.reduced("sum", all, false).id;
  if (!weights) return loss.reduced("mean", all, false).id;
  return (loss.reduced("sum", all, false) / weights->reduced("sum", all, false)).id;
}

Values likelihood_loss(Site& n) { return {negative_log_likelihood(n, input(n, 0), input(n, 1), n.optional(2))}; }

Values cross_entropy_loss(Site& n) {
  if (n.b.rank(n[0]) < 2) fail("onnx.shape", "the scores are {}", text_of(n.b.shape(n[0])));
  const Term log = input(n, 0).apply(ops::softmax, {{"axis", int64_t{1}}, {"log", int64_t{1}}});
  return {negative_log_likelihood(n, log, input(n, 1), n.optional(2)), log.id};
}

constexpr Operator rows[] = {
    {"NegativeLogLikelihoodLoss", likelihood_loss, "gather_elements gather reduce neg mul div where equal cast reshape",
     2, 3, "ignore_index:i reduction:s"},
    {"SoftmaxCrossEntropyLoss", cross_entropy_loss,
     "softmax gather_elements gather reduce neg mul div where equal cast reshape", 2, 3, "ignore_index:i reduction:s"},
};

}  // namespace

std::span<const Operator> loss_operators() { return rows; }

}  // namespace hadal::onnx
