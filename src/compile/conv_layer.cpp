#include "compile/conv_layer.h"

#include <algorithm>
#include <optional>

#include "compile/tiling.h"
#include "compile/weights.h"
#include "graph/ops.h"

namespace hadal::compile {

namespace ops = graph::ops;

namespace {

/// The group with its main op's bias as the first step of the chain.
Group with_bias(const Group& group, graph::ValueId bias) {
  Group out = group;
  if (bias == graph::absent) return out;
  const auto moved = [](uint8_t operand) {
    if (operand == 0) return static_cast<uint8_t>(isa::chain_inputs);
    return static_cast<uint8_t>(operand + 1);
  };
  out.streams.insert(out.streams.begin(), bias);
  out.chain = {
      DType::f32, static_cast<uint8_t>(out.streams.size() + 1), {{*isa::chain_op_named("add"), {0, 1, 0}, 0, 0}}};
  for (isa::ChainStep step : group.chain.steps) {
    for (int i = 0; i < isa::chain_ops()[step.op].operands; ++i)
      step.operands[static_cast<size_t>(i)] = moved(step.operands[static_cast<size_t>(i)]);
    out.chain.steps.push_back(step);
  }
  return out;
}

/// A stream's strides over [N, D, H, W, C] of the output.
std::vector<int64_t> stream_strides(const Placed& stream, const Shape& out, bool is_bias) {
  Placed broadcast{0, stream.dtype, out, std::vector<int64_t>(out.size(), 0), 0};
  if (is_bias)
    broadcast.strides[1] = stream.strides[0];
  else
    broadcast.strides = broadcast_strides(stream, out);
  return channels_last_view(broadcast).strides;
}

/// Dims N, D, H and W as one where the strides allow; none otherwise.
std::optional<int64_t> pixel_stride(const Shape& extents, const std::vector<int64_t>& strides) {
  int64_t stride = strides[3], reach = stride * extents[3];
  for (size_t d = 3; d-- > 0;) {
    if (extents[d] == 1) continue;
    if (strides[d] != reach) return std::nullopt;
    reach *= extents[d];
  }
  return stride;
}

/// Along dims where the kernel is a single pixel, what strides pass over is left out of the view, unless bursts would
/// bring it all the same.
void skip_unread(ConvLayer& layer, int64_t burst_bytes) {
  Windows& w = layer.windows;
  if (layer.x.strides[4] != bytes_of(layer.x.dtype)) return;
  for (size_t d = 0; d < spatial; ++d) {
    if (layer.x.strides[d + 1] < burst_bytes) continue;
    if (w.kernel[d] != 1 || w.stride[d] == 1 || w.pad[d] != 0 || (w.out[d] - 1) * w.stride[d] >= w.in[d]) continue;
    layer.x.extents[d + 1] = w.in[d] = w.out[d];
    layer.x.strides[d + 1] *= w.stride[d];
    w.stride[d] = 1;
  }
}

/// A convolution by single pixels does not care how they stand: all become rows of one column, which cut evenly.
void flatten_pixels(ConvLayer& layer) {
  Windows& w = layer.windows;
  for (size_t d = 0; d < spatial; ++d)
    if (w.kernel[d] != 1 || w.stride[d] != 1 || w.pad[d] != 0 || w.in[d] != w.out[d]) return;
  const Shape extents = layer.out.extents;
  const int64_t pixels = extents[0] * extents[1] * extents[2] * extents[3];
  std::vector<std::vector<int64_t>*> all{&layer.x.strides, &layer.out.strides};
  for (auto& strides : layer.strides) all.push_back(&strides);
  for (const auto* strides : all)
    if (!pixel_stride(extents, *strides)) return;
  for (auto* strides : all) *strides = {0, 0, *pixel_stride(extents, *strides), 0, strides->back()};
  for (Placed* placed : {&layer.x, &layer.out}) placed->extents = {1, 1, pixels, 1, placed->extents[4]};
  w.in = w.out = {1, pixels, 1};
}

}  // namespace

ConvLayer conv_layer(Emitter& e, const Group& group, const std::string& op) {
  const graph::Graph& graph = e.graph();
  const graph::Node& node = graph.nodes[static_cast<size_t>(group.main)];
  const bool transposed = node.op == &ops::conv_transpose;
  ConvLayer layer;
  layer.groups = std::max<int64_t>(node.attributes.integer("groups", 1), 1);
  const Placed x = e.operand(node.inputs[0]), out = e.result(group.result);
  layer.depthwise = !transposed && layer.groups > 1 && layer.groups == x.extents[1];
  layer.constant_weights = graph.is_constant(node.inputs[1]);
  layer.blocks = layer.constant_weights && layer.groups == 1 && !transposed;
  if (!layer.blocks)
    layer.w = taps_first(e, node.inputs[1], layer.depthwise ? out.extents[1] / x.extents[1] : 0,
                         transposed ? layer.groups : 0);
  layer.windows =
      windows_of(node, x.extents,
                 {graph.type(node.inputs[1]).shape.begin() + 2, graph.type(node.inputs[1]).shape.end()}, out.extents);
  layer.x = channels_last_view(x);
  layer.out = channels_last_view(out);
  const graph::ValueId bias = node.inputs.size() > 2 ? node.inputs[2] : graph::absent;
  layer.group = with_bias(group, bias);
  e.begin_phase(graph.value(group.result).name, layer.depthwise ? "conv_depthwise" : op, e.nodes());
  for (size_t i = 0; i < layer.group.streams.size(); ++i) {
    const graph::ValueId v = layer.group.streams[i];
    layer.streams.push_back(e.operand(v));
    layer.strides.push_back(stream_strides(layer.streams[i], out.extents, bias != graph::absent && i == 0));
  }
  if (!transposed) {
    skip_unread(layer, e.chip().dma.burst_bytes);
    flatten_pixels(layer);
  }
  for (size_t i = 0; i < layer.group.streams.size(); ++i) {
    const Placed view = placed_over(layer.streams[i], layer.out.extents, layer.strides[i]);
    layer.tensors.push_back(e.tensor(view, graph.value(layer.group.streams[i]).name));
  }
  layer.x_tensor = e.tensor(layer.x, graph.value(node.inputs[0]).name);
  if (!layer.blocks) layer.w_tensor = e.tensor(layer.w, graph.value(node.inputs[1]).name);
  layer.out_tensor = e.tensor(layer.out, graph.value(group.result).name);
  return layer;
}

}  // namespace hadal::compile
