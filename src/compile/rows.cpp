#include "compile/rows.h"

#include <algorithm>

#include "compile/rings.h"
#include "graph/ops.h"

namespace hadal::compile {

namespace ops = graph::ops;

bool scales_inside(const graph::Graph& graph, const graph::Node& node) {
  const Shape& shape = graph.type(node.outputs[0]).shape;
  const auto axes = node.attributes.integers("axes");
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == graph::absent) continue;
    if (!graph.is_constant(node.inputs[i]) && !std::ranges::count(graph.inputs, node.inputs[i])) return false;
    const Shape& scale = graph.type(node.inputs[i]).shape;
    const size_t lead = shape.size() - scale.size();
    for (size_t d = 0; d < shape.size(); ++d) {
      const bool is_axis = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
      if ((d < lead ? 1 : scale[d - lead]) != (is_axis ? shape[d] : 1)) return false;
    }
  }
  return true;
}

RowFit row_fit(const graph::Graph& graph, const graph::Node& node, const chip::Chip& chip, const Profile* profile) {
  const auto extent = [&](graph::ValueId v, int64_t axis) { return graph.type(v).shape[static_cast<size_t>(axis)]; };
  const int64_t stream = tile_limit(chip, Ring::stream, profile);
  const int64_t both = std::min(stream, tile_limit(chip, Ring::output, profile));
  const graph::ValueId x = node.inputs.empty() ? graph::absent : node.inputs[0];
  const int64_t axis = node.attributes.integer("axis");
  if (node.op == &ops::reduce || node.op == &ops::normalize) {
    int64_t row = 1;
    for (const int64_t a : node.attributes.integers("axes")) row *= extent(x, a);
    const int64_t bytes = bytes_of(graph.type(x).dtype);
    // Where a profile has large tiles, others lie beside them: scale and bias, or the operands of a chain.
    const bool large = profile && profile->layers.row_bytes > 0;
    if (node.op == &ops::reduce) return {row, stream / (large ? 8 : 1) / bytes};
    return {row,
            both / (large ? 2 : 1) / std::max<int64_t>(bytes, scales_inside(graph, node) ? 0 : bytes_of(DType::f32))};
  }
  if (node.op == &ops::arg_reduce) return {extent(x, axis), stream / bytes_of(graph.type(x).dtype)};
  if (node.op == &ops::softmax || node.op == &ops::cumsum)
    return {extent(x, axis), both / bytes_of(graph.type(x).dtype)};
  constexpr int64_t index_bytes = 8;
  if (node.op == &ops::topk) return {extent(x, axis), both / index_bytes};
  if (node.op == &ops::gather_elements)
    return {std::max(extent(x, axis), extent(node.outputs[0], axis)), both / index_bytes};
  return {};
}

}  // namespace hadal::compile
