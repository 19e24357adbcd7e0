// A transposed convolution whose windows do not overlap (stride = kernel, no padding) is a convolution by single pixels
// for each tap; their results stand side by side.
#include <algorithm>
#include <cstring>

#include "graph/simplify.h"
#include "graph/simplify/rewrite.h"

namespace hadal::graph {

namespace {

bool all(const Shape& values, int64_t value) {
  return std::ranges::all_of(values, [&](int64_t v) { return v == value; });
}

/// Tap `t` of [C, F, k...] as [F, C, 1...].
Tensor tap_of(const Tensor& w, int64_t t) {
  const int64_t channels = w.shape[0], features = w.shape[1], taps = elements(w.shape) / (channels * features);
  Shape shape(w.shape.size(), 1);
  shape[0] = features;
  shape[1] = channels;
  if (w.bytes.view.empty()) return {w.dtype, shape, {}};
  std::byte* to = nullptr;
  Tensor out = Tensor::zeros(w.dtype, shape, to);
  const auto size = static_cast<size_t>(bytes_of(w.dtype));
  for (int64_t f = 0; f < features; ++f)
    for (int64_t c = 0; c < channels; ++c, to += size)
      std::memcpy(to, w.bytes.view.data() + static_cast<size_t>((c * features + f) * taps + t) * size, size);
  return out;
}

Result<bool> spread(Rewrite& rewrite, Node& node) {
  if (node.op != &ops::conv_transpose || !rewrite.graph.is_constant(node.inputs[1])) return false;
  const Attributes& a = node.attributes;
  const Tensor w = *rewrite.graph.value(node.inputs[1]).constant;
  const Shape kernel(w.shape.begin() + 2, w.shape.end());
  constexpr size_t most_dims = 2;  // Of space: two dims each, when taps stand between them.
  if (kernel.size() > most_dims || a.integers("strides") != kernel || a.integer("groups", 1) != 1) return false;
  if (!all(a.integers("pads"), 0) || !all(a.integers("output_padding"), 0) || !all(a.integers("dilations"), 1))
    return false;

  // [N, F, S0, 1, S1, 1] of each tap; joined along the ones.
  const Shape x = rewrite.shape(node.inputs[0]), result = rewrite.shape(node.outputs[0]);
  Shape apart{x[0], w.shape[1]};
  for (size_t i = 2; i < x.size(); ++i) apart.insert(apart.end(), {x[i], 1});
  std::vector<ValueId> parts;
  for (int64_t t = 0; t < elements(kernel); ++t) {
    std::vector<ValueId> inputs = node.inputs;
    inputs[1] = rewrite.add_constant(tap_of(w, t), node);
    HADAL_TRY(const ValueId pixels, rewrite.add(ops::conv, inputs, {}, node));
    HADAL_TRY(const ValueId part, rewrite.add(ops::reshape, {pixels}, {{"shape", apart}}, node));
    parts.push_back(part);
  }
  for (size_t d = kernel.size(); d-- > 0;) {
    std::vector<ValueId> joined;
    const auto count = static_cast<size_t>(kernel[d]);
    for (size_t i = 0; i < parts.size(); i += count) {
      const std::vector<ValueId> row(parts.begin() + static_cast<std::ptrdiff_t>(i),
                                     parts.begin() + static_cast<std::ptrdiff_t>(i + count));
      HADAL_TRY(const ValueId all_of_row,
                rewrite.add(ops::concat, row, {{"axis", static_cast<int64_t>(2 * d + 3)}}, node));
      joined.push_back(all_of_row);
    }
    parts = std::move(joined);
  }
  rewrite.edit(node, ops::reshape, parts, {{"shape", result}});
  return false;
}

}  // namespace

Result<bool> spread_taps(Graph& graph) { return Rewrite::sweep(graph, spread); }

}  // namespace hadal::graph
