// Normalisations and softmax, expressed by `normalize`, `softmax` and arithmetic.
#include <algorithm>
#include <numeric>

#include "onnx/terms.h"

namespace hadal::onnx {

namespace {

Integers axes_from(int64_t first, int64_t rank) {
  Integers axes;
  for (int64_t i = first; i < rank; ++i) axes.push_back(i);
  return axes;
}

/// A vector of C values as [C,1,...], to broadcast against [N,C,...].
ValueId per_channel(Site& n, ValueId v, int64_t rank) {
  if (n.b.rank(v) != 1) fail("onnx.shape", "a value per channel is {}", text_of(n.b.shape(v)));
  Shape to(static_cast<size_t>(std::max<int64_t>(1, rank - 1)), 1);
  to[0] = n.b.shape(v)[0];
  return n.b.reshape(v, to);
}

/// By the batch's own mean and variance, which the running ones take up.
Values trained_normalization(Site& n) {
  const Term x = input(n, 0), mean = input(n, 3), variance = input(n, 4);
  const auto rank = std::ssize(x.shape());
  if (rank < 2) fail("onnx.shape", "the operand is {}", text_of(x.shape()));
  Integers axes{0};
  for (int64_t i = 2; i < rank; ++i) axes.push_back(i);
  const Term own_mean = x.reduced("mean", axes), centred = x - own_mean;
  const Term own_variance = (centred * centred).reduced("mean", axes);
  const auto channels = [&](size_t i) { return Term{&n.b, per_channel(n, n.b.cast(n[i], x.dtype()), rank)}; };
  const Term deviation = (own_variance + n.number("epsilon", 1e-5)).apply(ops::sqrt);
  const Term y = centred / deviation * channels(1) + channels(2);
  const double kept = n.number("momentum", 0.9);
  const auto running = [&](const Term& old, const Term& own) {
    return (old * kept + own.reshaped(old.shape()).as(old.dtype()) * (1 - kept)).id;
  };
  const Values out{y.id, running(mean, own_mean), running(variance, own_variance)};
  if (n.b.training())
    for (const size_t i : {size_t{1}, size_t{2}}) n.b.keep_running(n[2 + i], out[i]);
  return out;
}

/// x * s + t, with s = scale / sqrt(variance + epsilon) and t = bias - mean * s: constants, as a rule.
Values batch_normalization(Site& n) {
  if (!n.integer("spatial", 1)) fail("onnx.unsupported", "BatchNormalization not per channel is not supported");
  if (n.integer("training_mode") || n.b.training()) return trained_normalization(n);
  const int64_t rank = n.b.rank(n[0]);
  if (rank < 2) fail("onnx.shape", "the operand is {}", text_of(n.b.shape(n[0])));
  const DType wide = n.b.dtype(n[4]), dtype = n.b.dtype(n[0]);
  const ValueId deviation = n.make(ops::sqrt, {n.make(ops::add, {n[4], n.b.scalar(wide, n.number("epsilon", 1e-5))})});
  const ValueId scale = n.make(ops::div, {n.b.cast(n[1], wide), deviation});
  const ValueId shift = n.make(ops::sub, {n.b.cast(n[2], wide), n.make(ops::mul, {n.b.cast(n[3], wide), scale})});
  const ValueId scaled = n.make(ops::mul, {n[0], per_channel(n, n.b.cast(scale, dtype), rank)});
  return {n.make(ops::add, {scaled, per_channel(n, n.b.cast(shift, dtype), rank)})};
}

ValueId normalize(Site& n, ValueId x, ValueId scale, ValueId bias, Integers axes, double epsilon,
                  const std::string& kind) {
  Values operands{x};
  if (scale != absent || bias != absent) operands.push_back(scale);
  if (bias != absent) operands.push_back(bias);
  return n.make(ops::normalize, operands, {{"axes", std::move(axes)}, {"epsilon", epsilon}, {"kind", kind}});
}

Values instance_normalization(Site& n) {
  const int64_t rank = n.b.rank(n[0]);
  if (rank < 3) fail("onnx.shape", "the operand is {}", text_of(n.b.shape(n[0])));
  return {normalize(n, n[0], per_channel(n, n[1], rank), per_channel(n, n[2], rank), axes_from(2, rank),
                    n.number("epsilon", 1e-5), "layer")};
}

/// Groups become an axis; scale and bias are per group before opset 21, per channel since.
Values group_normalization(Site& n) {
  const Shape x = n.b.shape(n[0]);
  const int64_t groups = n.attribute("num_groups").integer;
  if (x.size() < 2 || groups < 1 || x[1] % groups != 0) fail("onnx.shape", "{} groups in {}", groups, text_of(x));
  Shape apart{x[0], groups, x[1] / groups};
  apart.insert(apart.end(), x.begin() + 2, x.end());
  const auto rank = static_cast<int64_t>(apart.size());
  const auto spread = [&](ValueId v) {
    Shape to(apart.size() - 1, 1);
    const int64_t count = n.b.shape(v).empty() ? 1 : n.b.shape(v)[0];
    to[0] = groups;
    to[1] = count == groups && n.opset < 21 ? 1 : x[1] / groups;
    return n.b.reshape(v, to);
  };
  const ValueId y = normalize(n, n.b.reshape(n[0], apart), spread(n[1]), spread(n[2]), axes_from(2, rank),
                              n.number("epsilon", 1e-5), "layer");
  return {n.b.reshape(y, x)};
}

/// Mean and inverse deviation, if the model reads them.
Values with_statistics(Site& n, ValueId x, ValueId y, const Integers& axes, double epsilon) {
  if (!n.wants(1) && !n.wants(2)) return {y};
  const ValueId mean = n.b.reduce(x, "mean", axes);
  const ValueId centred = n.make(ops::sub, {x, mean});
  const ValueId variance = n.b.reduce(n.make(ops::mul, {centred, centred}), "mean", axes);
  return {y, mean, n.make(ops::rsqrt, {n.make(ops::add, {variance, n.b.scalar(n.b.dtype(x), epsilon)})})};
}

Values layer_normalization(Site& n) {
  const int64_t rank = n.b.rank(n[0]);
  const Integers axes = axes_from(Site::axis(n.integer("axis", -1), rank), rank);
  const double epsilon = n.number("epsilon", 1e-5);
  return with_statistics(n, n[0], normalize(n, n[0], n[1], n.optional(2), axes, epsilon, "layer"), axes, epsilon);
}

Values rms_normalization(Site& n) {
  const int64_t rank = n.b.rank(n[0]);
  return {normalize(n, n[0], n[1], absent, axes_from(Site::axis(n.integer("axis", -1), rank), rank),
                    n.number("epsilon", 1e-5), "rms")};
}

/// com.microsoft: normalises x + skip (+ bias), which is the fourth output.
Values skip_normalization(Site& n) {
  const bool rms = n.node.type == "SkipSimplifiedLayerNormalization";
  const ValueId bias = n.optional(rms ? 3 : 4);
  ValueId x = n.make(ops::add, {n[0], n[1]});
  if (bias != absent) x = n.make(ops::add, {x, bias});
  const Integers axes{n.b.rank(x) - 1};
  const ValueId y =
      normalize(n, x, n[2], rms ? absent : n.optional(3), axes, n.number("epsilon", 1e-12), rms ? "rms" : "layer");
  if (n.wants(1) || n.wants(2)) fail("onnx.unsupported", "mean and deviation are not supported");
  return {y, absent, absent, x};
}

Values lp_normalization(Site& n) {
  const int64_t p = n.integer("p", 2);
  if (p != 1 && p != 2) fail("onnx.attribute", "p is {}", p);
  const ValueId norm = n.b.reduce(n[0], p == 1 ? "l1" : "l2", {Site::axis(n.integer("axis", -1), n.b.rank(n[0]))});
  // A row of zeros stays one.
  const ValueId divisor = n.make(
      ops::where, {n.make(ops::equal, {norm, n.b.scalar(n.b.dtype(norm), 0)}), n.b.scalar(n.b.dtype(norm), 1), norm});
  return {n.make(ops::div, {n[0], divisor})};
}

Values mean_variance_normalization(Site& n) {
  const Integers axes = Site::axes(n.has("axes") ? n.integers("axes") : Integers{0, 2, 3}, n.b.rank(n[0]));
  return {normalize(n, n[0], absent, absent, axes, 1e-18, "layer")};
}

/// x / (bias + alpha/size * sum of squares of `size` neighbouring channels)^beta: the sum is one slice a neighbour.
Values lrn(Site& n) {
  const int64_t size = n.attribute("size").integer, rank = n.b.rank(n[0]);
  if (rank < 2 || size < 1) fail("onnx.shape", "LRN of {} channels over {}", size, text_of(n.b.shape(n[0])));
  const int64_t channels = n.b.shape(n[0])[1];
  const int64_t before = std::min((size - 1) / 2, channels - 1),
                after = std::min(size - 1 - (size - 1) / 2, channels - 1);
  if (before + after > 1024) fail("onnx.unsupported", "LRN over more than 1024 channels is not supported");
  const DType dtype = n.b.dtype(n[0]);
  const auto scalar = [&](double value) { return n.b.scalar(dtype, value); };
  Integers low(static_cast<size_t>(rank), 0), high(static_cast<size_t>(rank), 0);
  low[1] = std::max<int64_t>(0, before), high[1] = std::max<int64_t>(0, after);
  const ValueId padded = n.make(ops::pad, {n.make(ops::mul, {n[0], n[0]})},
                                {{"low", low}, {"high", high}, {"mode", "constant"}, {"value", 0.0}});
  ValueId sum = n.b.slice(padded, 1, 0, channels);
  for (int64_t i = 1; i <= before + after; ++i) sum = n.make(ops::add, {sum, n.b.slice(padded, 1, i, channels)});
  const ValueId scaled = n.make(ops::mul, {sum, scalar(n.number("alpha", 1e-4) / static_cast<double>(size))});
  const ValueId base = n.make(ops::add, {scaled, scalar(n.number("bias", 1))});
  return {n.make(ops::mul, {n[0], n.make(ops::pow, {base, scalar(-n.number("beta", 0.75))})})};
}

/// Before opset 13 the operand is a matrix: all axes from `axis` on are its columns.
Values softmax(Site& n) {
  const int64_t rank = n.b.rank(n[0]);
  const int64_t axis = Site::axis(n.integer("axis", n.opset < 13 ? 1 : -1), rank);
  const int64_t logarithm = n.node.type == "LogSoftmax";
  const Shape x = n.b.shape(n[0]);
  if (n.opset >= 13 || axis == rank - 1) return {n.make(ops::softmax, {n[0]}, {{"axis", axis}, {"log", logarithm}})};
  const ValueId matrix =
      n.b.reshape(n[0], {elements(Shape(x.begin(), x.begin() + axis)), elements(Shape(x.begin() + axis, x.end()))});
  return {n.b.reshape(n.make(ops::softmax, {matrix}, {{"axis", int64_t{1}}, {"log", logarithm}}), x)};
}

/// 1 at the first largest, else 0.
Values hardmax(Site& n) {
  const int64_t rank = n.b.rank(n[0]), axis = Site::axis(n.integer("axis", n.opset < 13 ? 1 : -1), rank);
  const Shape x = n.b.shape(n[0]);
  ValueId operand = n[0];
  int64_t along = axis;
  if (n.opset < 13) {
    operand = n.b.reshape(operand,
                          {elements(Shape(x.begin(), x.begin() + axis)), elements(Shape(x.begin() + axis, x.end()))});
    along = 1;
  }
  const ValueId best = n.make(ops::arg_reduce, {operand}, {{"kind", "max"}, {"axis", along}, {"keep", int64_t{1}}});
  Integers positions(static_cast<size_t>(n.b.shape(operand)[static_cast<size_t>(along)]));
  std::iota(positions.begin(), positions.end(), 0);
  Shape row(n.b.shape(operand).size(), 1);
  row[static_cast<size_t>(along)] = static_cast<int64_t>(positions.size());
  const ValueId hit = n.make(ops::equal, {best, n.b.reshape(n.b.constant(positions), row)});
  return {n.b.reshape(n.b.cast(hit, n.b.dtype(n[0])), x)};
}

constexpr Operator rows[] = {
    {"BatchNormalization", batch_normalization, "mul add sub div sqrt cast reshape reduce", 5, 5,
     "epsilon:f is_test:i momentum:f spatial:i training_mode:i"},
    {"GroupNormalization", group_normalization, "reshape normalize", 3, 3, "epsilon:f num_groups:i stash_type:i"},
    {"Hardmax", hardmax, "arg_reduce equal cast reshape", 1, 1, "axis:i"},
    {"InstanceNormalization", instance_normalization, "normalize reshape", 3, 3, "epsilon:f"},
    {"LRN", lrn, "mul pad slice add pow", 1, 1, "alpha:f beta:f bias:f size:i"},
    {"LayerNormalization", layer_normalization, "normalize reduce sub mul add rsqrt", 2, 3,
     "axis:i epsilon:f stash_type:i"},
    {"LogSoftmax", softmax, "softmax reshape", 1, 1, "axis:i"},
    {"LpNormalization", lp_normalization, "reduce equal where div", 1, 1, "axis:i p:i"},
    {"MeanVarianceNormalization", mean_variance_normalization, "normalize", 1, 1, "axes:is"},
    {"RMSNormalization", rms_normalization, "normalize", 2, 2, "axis:i epsilon:f stash_type:i"},
    {"SimplifiedLayerNormalization", rms_normalization, "normalize", 2, 2, "axis:i epsilon:f stash_type:i"},
    {"Softmax", softmax, "softmax reshape", 1, 1, "axis:i"},
    {"SkipLayerNormalization", skip_normalization, "add normalize", 3, 5, "epsilon:f", "com.microsoft"},
    {"SkipSimplifiedLayerNormalization", skip_normalization, "add normalize", 3, 4, "epsilon:f", "com.microsoft"},
};

}  // namespace

std::span<const Operator> norm_operators() { return rows; }

}  // namespace hadal::onnx
