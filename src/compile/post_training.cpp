#include "compile/post_training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "graph/ops/scalar.h"
#include "graph/simplify/rewrite.h"

namespace hadal::compile {

namespace {

namespace ops = graph::ops;
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::Rewrite;
using graph::ValueId;

bool is_f32_constant(const Graph& graph, ValueId v) {
  return v != absent && graph.is_constant(v) && graph.type(v).dtype == DType::f32 &&
         !graph.value(v).constant->bytes.view.empty();
}

/// A product whose weights are known, with one output channel axis.
bool has_weights(const Graph& graph, const Node& node) {
  if (node.op != &ops::conv && node.op != &ops::matmul) return false;
  return is_f32_constant(graph, node.inputs[1]) && !graph.is_constant(node.inputs[0]) &&
         (node.op == &ops::conv || graph.type(node.inputs[1]).shape.size() == 2);
}

size_t channel_axis(const Node& node) {
  return node.op == &ops::conv || node.attributes.integer("transpose_b") != 0 ? 0 : 1;
}

/// Nodes that read each value.
std::vector<std::vector<const Node*>> readers_of(const Graph& graph) {
  std::vector<std::vector<const Node*>> readers(graph.values.size());
  for (const Node& node : graph.nodes)
    for (const ValueId v : node.inputs)
      if (v != absent) readers[static_cast<size_t>(v)].push_back(&node);
  return readers;
}

}  // namespace

std::vector<ValueId> quantisable(const Graph& graph) {
  const auto readers = readers_of(graph);
  const std::set<ValueId> outputs(graph.outputs.begin(), graph.outputs.end());
  std::set<ValueId> chosen;
  for (const Node& node : graph.nodes) {
    if (!has_weights(graph, node)) continue;
    chosen.insert(node.inputs[0]);
    // Down the product's own element-wise steps, which take place before anything is stored.
    ValueId v = node.outputs[0];
    const auto step = [&]() -> const Node* {
      const auto& all = readers[static_cast<size_t>(v)];
      if (all.size() != 1 || outputs.contains(v) || !graph::scalar_function(*all[0]->op)) return nullptr;
      const auto known = [&](ValueId other) { return other == v || graph.is_constant(other); };
      return std::ranges::all_of(all[0]->inputs, known) ? all[0] : nullptr;
    };
    while (const Node* const next = step()) v = next->outputs[0];
    const auto element_wise = [](const Node* reader) {
      return graph::scalar_function(*reader->op) || reader->op == &ops::concat;
    };
    if (!outputs.contains(v) && std::ranges::any_of(readers[static_cast<size_t>(v)], element_wise)) chosen.insert(v);
  }
  return {chosen.begin(), chosen.end()};
}

namespace {

/// Scale and zero point of i8 for a range.
struct Steps {
  float scale = 1;
  int64_t zero = 0;
};
Steps steps_of(const Range& range) {
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  const auto scale = static_cast<float>((high - low) / 255);
  if (!(scale > 0) || !std::isfinite(scale)) return {};
  return {scale, static_cast<int64_t>(std::nearbyint(-128 - low / static_cast<double>(scale)))};
}

}  // namespace

Range least_loss(const Range& range, const std::vector<float>& numbers) {
  constexpr int parts = 24;
  Range best = range;
  double least = std::numeric_limits<double>::infinity(), energy = 0;
  for (const float number : numbers) energy += static_cast<double>(number) * static_cast<double>(number);
  for (int part = parts; part >= parts / 3; --part) {
    Range tried = range;
    tried.low *= static_cast<double>(part) / parts;
    tried.high *= static_cast<double>(part) / parts;
    const Steps steps = steps_of(tried);
    const auto zero = static_cast<float>(steps.zero);
    double loss = 0;
    for (const float number : numbers) {
      const float byte = std::clamp(std::nearbyint(number / steps.scale) + zero, -128.0f, 127.0f);
      const auto gap = static_cast<double>((byte - zero) * steps.scale - number);
      loss += gap * gap;
    }
    if (loss >= least) continue;
    least = loss;
    best = std::move(tried);
  }
  best.loss = energy > 0 ? least / energy : 0;
  return best;
}

namespace {

Tensor scalar(float value) { return Tensor::of(DType::f32, {}, std::vector<float>{value}); }
Tensor scalar_i8(int64_t value) { return Tensor::of(DType::i8, {}, std::vector<int8_t>{static_cast<int8_t>(value)}); }

/// Weights as bytes, and the scale of each output channel.
struct Quantised {
  Tensor bytes;
  std::vector<float> scales;
};
Quantised quantised_weights(const Tensor& weights, size_t axis) {
  int64_t inner = 1;
  for (size_t i = axis + 1; i < weights.shape.size(); ++i) inner *= weights.shape[i];
  const int64_t channels = weights.shape[axis];
  const auto values = weights.as<float>();
  std::vector<float> largest(static_cast<size_t>(channels), 0);
  const auto channel = [&](size_t i) { return static_cast<size_t>(static_cast<int64_t>(i) / inner % channels); };
  for (size_t i = 0; i < values.size(); ++i) largest[channel(i)] = std::max(largest[channel(i)], std::fabs(values[i]));
  Quantised out;
  for (const float most : largest) out.scales.push_back(most > 0 && std::isfinite(most) ? most / 127 : 1);
  std::vector<int8_t> bytes;
  for (size_t i = 0; i < values.size(); ++i)
    bytes.push_back(
        static_cast<int8_t>(std::clamp(std::nearbyint(values[i] / out.scales[channel(i)]), -127.0f, 127.0f)));
  out.bytes = Tensor::of(DType::i8, weights.shape, bytes);
  return out;
}

/// What the rounding of weights adds to the mean of each output channel, for these means of the input's.
std::vector<double> mean_gaps(const Node& node, const Tensor& weights, const Quantised& quantised,
                              const std::vector<double>& means) {
  const bool first = channel_axis(node) == 0;
  int64_t inner = 1;
  for (size_t i = 2; i < weights.shape.size(); ++i) inner *= weights.shape[i];
  const auto values = weights.as<float>();
  const auto bytes = quantised.bytes.as<int8_t>();
  const int64_t outputs = weights.shape[first ? 0 : 1], inputs = weights.shape[first ? 1 : 0];
  const int64_t groups = node.op == &ops::conv ? node.attributes.integer("groups", 1) : 1;
  std::vector<double> gaps(static_cast<size_t>(outputs), 0);
  if (std::ssize(means) != inputs * groups) return gaps;
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i) / inner, row = at / weights.shape[1], column = at % weights.shape[1];
    const int64_t output = first ? row : column, input = first ? column : row;
    const double scale = static_cast<double>(quantised.scales[static_cast<size_t>(output)]);
    const double gap = scale * bytes[i] - static_cast<double>(values[i]);
    gaps[static_cast<size_t>(output)] += gap * means[static_cast<size_t>(output / (outputs / groups) * inputs + input)];
  }
  return gaps;
}

class PostTraining {
 public:
  explicit PostTraining(const std::map<ValueId, Range>& ranges) : ranges_(ranges) {}

  Result<bool> visit(Rewrite& w, Node& node) {
    const bool product = has_weights(w.graph, node) && ranges_.contains(node.inputs[0]);
    if (!product && (node.op == &ops::conv || node.op == &ops::matmul)) wide.push_back(node.origins.front());
    std::vector<ValueId> inputs = node.inputs;
    for (ValueId& v : inputs) {
      if (!ranges_.contains(v)) continue;
      HADAL_TRY(v, in_bytes(w, node, v));
    }
    if (product) {
      HADAL_CHECK(quantise_weights(w, node, inputs));
    } else if (node.op == &ops::add) {
      HADAL_CHECK(quantise_bias(w, node, inputs));
    }
    if (inputs != node.inputs) {
      const graph::Op& op = *node.op;
      w.edit(node, op, std::move(inputs), graph::Attributes(node.attributes));
    }
    return false;
  }

  std::vector<std::string> wide;

 private:
  /// A product made here.
  struct Made {
    std::vector<float> scales;
    std::vector<double> gaps;  ///< By output channel.
  };

  /// v through a byte; once for all readers.
  Result<ValueId> in_bytes(Rewrite& w, const Node& node, ValueId v) {
    if (const auto made = made_.find(v); made != made_.end()) return made->second;
    const Steps steps = steps_of(ranges_.at(v));
    const ValueId scale = w.add_constant(scalar(steps.scale), node), zero = w.add_constant(scalar_i8(steps.zero), node);
    HADAL_TRY(const ValueId bytes, w.add(ops::quantize, {v, scale, zero}, {{"to", "i8"}}, node));
    HADAL_TRY(const ValueId back, w.add(ops::dequantize, {bytes, scale, zero}, {}, node));
    return made_[v] = back;
  }

  Status quantise_weights(Rewrite& w, const Node& node, std::vector<ValueId>& inputs) {
    const Tensor weights = *w.graph.value(node.inputs[1]).constant;
    const size_t axis = channel_axis(node);
    const Quantised quantised = quantised_weights(weights, axis);
    Shape along(weights.shape.size(), 1);
    along[axis] = weights.shape[axis];
    HADAL_TRY(inputs[1], w.add(ops::dequantize,
                               {w.add_constant(quantised.bytes, node),
                                w.add_constant(Tensor::of(DType::f32, along, quantised.scales), node)},
                               {}, node));
    std::vector<float> scales = quantised.scales;
    for (float& scale : scales) scale *= steps_of(ranges_.at(node.inputs[0])).scale;
    const bool by_channel =
        node.op == &ops::conv || (w.shape(node.inputs[0]).size() == 2 && node.attributes.integer("transpose_a") == 0);
    const std::vector<double> means = by_channel ? ranges_.at(node.inputs[0]).means : std::vector<double>{};
    Made made{std::move(scales), mean_gaps(node, weights, quantised, means)};
    if (node.op == &ops::conv && inputs.size() < 3)
      inputs.push_back(
          w.add_constant(Tensor::of(DType::f32, {weights.shape[0]}, std::vector<float>(made.scales.size(), 0)), node));
    if (inputs.size() > 2 && is_f32_constant(w.graph, inputs[2])) {
      HADAL_TRY(inputs[2], bias(w, node, inputs[2], made));
    }
    products_.insert_or_assign(node.outputs[0], std::move(made));
    return {};
  }

  /// The vector that is added to a product of matrices.
  Status quantise_bias(Rewrite& w, const Node& node, std::vector<ValueId>& inputs) {
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const auto product = products_.find(node.inputs[i]);
      const ValueId other = node.inputs[1 - i];
      if (product == products_.end() || !w.maker(node.inputs[i], ops::matmul) || !is_f32_constant(w.graph, other) ||
          w.shape(other) != Shape{std::ssize(product->second.scales)})
        continue;
      HADAL_TRY(inputs[1 - i], bias(w, node, other, product->second));
    }
    return {};
  }

  /// A bias as i32 in the product's scale, less the product's gaps; itself where it does not fit.
  static Result<ValueId> bias(Rewrite& w, const Node& node, ValueId v, const Made& product) {
    const auto values = w.graph.value(v).constant->as<float>();
    std::vector<int32_t> steps;
    for (size_t i = 0; i < values.size(); ++i) {
      const double count =
          std::nearbyint((static_cast<double>(values[i]) - product.gaps[i]) / static_cast<double>(product.scales[i]));
      if (!(std::fabs(count) < 0x1p30)) return v;
      steps.push_back(static_cast<int32_t>(count));
    }
    const Shape shape = w.shape(v);
    return w.add(ops::dequantize,
                 {w.add_constant(Tensor::of(DType::i32, shape, steps), node),
                  w.add_constant(Tensor::of(DType::f32, shape, product.scales), node)},
                 {}, node);
  }

  const std::map<ValueId, Range>& ranges_;
  std::map<ValueId, ValueId> made_;
  std::map<ValueId, Made> products_;
};

}  // namespace

Result<std::vector<std::string>> quantise(Graph& graph, const std::map<ValueId, Range>& ranges) {
  PostTraining pass(ranges);
  HADAL_CHECK(Rewrite::sweep(graph, [&](Rewrite& w, Node& node) { return pass.visit(w, node); }));
  return std::move(pass.wide);
}

}  // namespace hadal::compile
