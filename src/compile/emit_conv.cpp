// Convolutions: output tiles of rows and channels dealt to the cores, a loop over chunks of input channels inside. The
// input window of a tile is clamped to the image; what it lacks is padding, a field of the instruction.
#include <algorithm>
#include <array>
#include <optional>

#include "compile/matrix_tiling.h"
#include "compile/spatial.h"
#include "compile/weights.h"
#include "graph/ops.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;
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

/// Everything that convolution, depthwise and transposed convolution share.
struct Layer {
  Windows windows;
  Placed x, w, out;  ///< [N, D, H, W, C], [KD, KH, KW, ., .], [N, D, H, W, O].
  Group group;
  std::vector<Placed> streams;
  std::vector<std::vector<int64_t>> strides;
  std::vector<int> tensors;
  int x_tensor = 0, w_tensor = 0, out_tensor = 0;
  int64_t groups = 1;
  bool depthwise = false, constant_weights = true;
  bool group_by_group = false;  ///< A tile lies within one group: for groups too large to fit whole.
  bool blocks = false;          ///< Weights lie in blocks of a tile's channels, [block, KD, KH, KW, ., .].
};

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

/// A convolution by single pixels does not care how they stand: all become rows of one column, which cut evenly.
void flatten_pixels(Layer& layer) {
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

Layer layer_of(Emitter& e, const Group& group, const std::string& op) {
  const graph::Graph& graph = e.graph();
  const graph::Node& node = graph.nodes[static_cast<size_t>(group.main)];
  const bool transposed = node.op == &ops::conv_transpose;
  Layer layer;
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
  if (!transposed) flatten_pixels(layer);
  for (size_t i = 0; i < layer.group.streams.size(); ++i) {
    Placed view = layer.streams[i];
    view.extents = layer.out.extents;
    view.strides = layer.strides[i];
    for (size_t d = 0; d < view.extents.size(); ++d)
      if (view.strides[d] == 0) view.extents[d] = 1;
    layer.tensors.push_back(e.tensor(view, graph.value(layer.group.streams[i]).name));
  }
  layer.x_tensor = e.tensor(layer.x, graph.value(node.inputs[0]).name);
  if (!layer.blocks) layer.w_tensor = e.tensor(layer.w, graph.value(node.inputs[1]).name);
  layer.out_tensor = e.tensor(layer.out, graph.value(group.result).name);
  return layer;
}

/// Lays out constant weights for tiles of `width` channels.
void set_blocks(Emitter& e, Layer& layer, graph::ValueId v, int64_t width) {
  const Tensor& tensor = *e.graph().value(v).constant;
  layer.w = blocked_weights(e, v, width);
  layer.w_tensor = e.tensor(layer.w, e.graph().value(v).name, false);
  e.count_bytes(layer.w, tensor.size() * bytes_of(tensor.dtype));
}

/// The search's view of the layer with rows of `width` output pixels.
MatrixLayer search_layer(const Layer& layer, int64_t width) {
  const Windows& w = layer.windows;
  MatrixLayer out;
  const int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2], channels = layer.x.extents[4] / layer.groups;
  out.batch = layer.out.extents[0] * w.out[0];
  out.rows = w.out[1] * ((w.out[2] + width - 1) / width);
  out.row_pixels = width;
  const int64_t groups = layer.group_by_group ? 1 : layer.groups;  // Of a tile at most.
  out.batch *= layer.groups / groups;
  out.n = layer.out.extents[4] * groups / layer.groups;
  out.n_step = groups > 1 ? out.n / groups : 1;
  out.k = taps * channels;
  out.k_step = taps;
  out.grouped = groups > 1;
  out.may_split = layer.groups == 1 && layer.constant_weights && is_float(layer.x.dtype);
  out.depthwise = layer.depthwise;
  out.equal_parts = out.grouped && !layer.depthwise;
  out.operands = layer.x.dtype;
  out.constant_weights = layer.constant_weights;
  out.stored_bytes = bytes_of(layer.out.dtype);
  out.result_bytes = std::max<int64_t>(out.stored_bytes, 4);
  const int64_t bytes = bytes_of(layer.x.dtype);
  out.stream_bytes = [w, taps, width, bytes](int64_t rows, int64_t k) {
    const int64_t high = std::min((rows - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1, w.in[1]);
    const int64_t wide = std::min((width - 1) * w.stride[2] + (w.kernel[2] - 1) * w.dilation[2] + 1, w.in[2]);
    return high * wide * std::min(w.kernel[0], w.in[0]) * (k / taps) * bytes;
  };
  return out;
}

/// Rows, and where a row is too long, parts of rows.
MatrixTile choose_conv_tile(const Emitter& e, const Layer& layer, int64_t& width) {
  const int64_t whole = layer.windows.out[2];
  for (int64_t parts = 1; parts <= whole; parts *= 2) {
    width = even_part(whole, (whole + parts - 1) / parts);
    MatrixLayer search = search_layer(layer, width);
    if (parts > 1) {  // Tiles are single rows then.
      search.batch *= search.rows;
      search.rows = 1;
    }
    const MatrixTile tile = choose_matrix_tile(e, search);
    if (tile.rows > 0) return tile;
  }
  return {0, 0, 0};
}

}  // namespace

void emit_conv(Emitter& e, const Group& group) {
  Layer layer = layer_of(e, group, "conv");
  const Windows& w = layer.windows;
  int64_t width = 1;
  MatrixTile tile = choose_conv_tile(e, layer, width);
  if (tile.rows == 0 && layer.groups > 1 && !layer.depthwise) {
    layer.group_by_group = true;
    tile = choose_conv_tile(e, layer, width);
  }
  if (tile.rows == 0) return e.fail("plan.capacity", "no tile of this convolution fits the scratchpad");
  const int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2], group_channels = layer.x.extents[4] / layer.groups;
  const int64_t group_features = layer.out.extents[4] / layer.groups, k = taps * group_channels;
  e.account(static_cast<uint64_t>(elements(layer.out.extents)) * static_cast<uint64_t>(k), layer.x.dtype);

  if (layer.blocks) set_blocks(e, layer, e.graph().nodes[static_cast<size_t>(group.main)].inputs[1], tile.n);

  const bool split = tile.splits > 1;
  const Placed partial =
      split ? partial_sums(e, layer.out, tile.splits, e.graph().value(group.result).name) : layer.out;
  const int to = split ? e.tensor(partial, e.graph().value(group.result).name + ".parts") : layer.out_tensor;
  const std::vector<int64_t> parts{1, 1, tile.rows * tile.stack, width, tile.n};
  auto counts = counts_of(layer.out.extents, parts);
  const int64_t parts_of_group = (group_features + tile.n - 1) / tile.n;
  if (layer.group_by_group) counts[4] = layer.groups * parts_of_group;
  counts.push_back(tile.splits);
  const int64_t part_channels = tile.part / taps, chunk_channels = tile.k / taps,
                chunks = (part_channels + chunk_channels - 1) / chunk_channels;
  const Expr chain =
      split || layer.group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(layer.group.chain));
  const Ring weight_ring = layer.constant_weights ? Ring::weight : Ring::activation2;
  // Of [N, D, H, W, C, part], activations do not differ in C (unless it says which groups), weights only in C and part.
  const bool by_groups = layer.groups > 1;
  const isa::Sharing share_x = e.sharing(counts, {true, true, true, true, by_groups, true});
  const isa::Sharing share_c = e.sharing(counts, {false, false, false, false, true, true});
  const bool once = chunks == 1 && counts[4] == 1 && !split;  // The same weights for all tiles.
  const isa::Sharing share_w = once ? isa::Sharing{e.cores(), 1} : share_c;
  const auto load_weights = [&](const Expr& c0, const Expr& ct, const Expr& o0, const Expr& ot) {
    const Expr kd(w.kernel[0]), kh(w.kernel[1]), kw(w.kernel[2]), none(0);
    if (layer.depthwise) {
      const Expr multiplier(group_features);
      return e.load(weight_ring,
                    {layer.w_tensor,
                     {none, none, none, none, floor_div(o0, multiplier)},
                     {kd, kh, kw, multiplier, floor_div(ot, multiplier)}},
                    "w", {}, share_w);
    }
    if (layer.blocks)
      return e.load(
          weight_ring,
          {layer.w_tensor, {floor_div(o0, Expr(tile.n)), none, none, none, c0, none}, {Expr(1), kd, kh, kw, ct, ot}},
          "w", {kd, kh, kw, ct, ot}, share_w);
    return e.load(weight_ring, {layer.w_tensor, {none, none, none, c0, o0}, {kd, kh, kw, ct, ot}}, "w", {}, share_w);
  };
  tile::TileView weights;
  if (once) weights = load_weights(Expr(0), Expr(group_channels), Expr(0), Expr(layer.out.extents[4]));

  const Epilogue epilogue{layer.group, layer.streams, layer.tensors, layer.strides, 5};
  const bool stacked = tile.stack > 1, extra_first = epilogue_first(e, layer.streams, layer.x, chunks);
  // Channels that the tile's groups read.
  const bool whole_groups = layer.groups > 1 && !layer.group_by_group;

  e.units(counts, [&](const std::vector<Expr>& at, const Expr& unit) {
    TileBox stack = tile_box(layer.out.extents, parts, at);
    const Expr own_group = layer.group_by_group ? floor_div(at[4], Expr(parts_of_group)) : Expr(0);
    if (layer.group_by_group) {
      const Expr first = mod(at[4], Expr(parts_of_group)) * Expr(tile.n);
      stack.origins[4] = own_group * Expr(group_features) + first;
      stack.extents[4] = group_features % tile.n == 0 ? Expr(tile.n) : min(Expr(tile.n), Expr(group_features) - first);
    }
    const Expr o0 = stack.origins[4], ot = stack.extents[4];
    const Expr first_group = whole_groups ? floor_div(o0, Expr(group_features)) : Expr(0);
    const Expr tile_groups = whole_groups ? floor_div(ot, Expr(group_features)) : Expr(1);
    const Expr part0 = at.back() * Expr(part_channels), part1 = min(part0 + Expr(part_channels), Expr(group_channels));
    const std::vector<tile::Operand> vectors =
        split ? std::vector<tile::Operand>{} : load_vectors(e, epilogue, stack, share_c);
    tile::TileView held = weights;
    if (stacked && !once) held = load_weights(Expr(0), Expr(group_channels), o0, ot);
    const auto emit_tile = [&](const Expr& i) {
      const TileBox box = tile_of_stack(stack, 2, tile, i);
      std::vector<tile::Operand> extra = vectors;
      if (extra_first) load_tiles(e, epilogue, box, extra);
      const tile::TileView result{e.tile(Ring::result, split ? DType::f32 : layer.out.dtype, "y"), box.extents};
      std::array<InputWindow, spatial> windows;
      for (size_t d = 0; d < spatial; ++d) windows[d] = input_window(w, d, box.origins[d + 1], box.extents[d + 1]);
      e.loop("c", Expr(chunks), [&](const Expr& chunk) {
        const Expr c0 = part0 + chunk * Expr(chunk_channels);
        const bool even = part_channels % chunk_channels == 0 && group_channels % part_channels == 0;
        const Expr ct =
            even ? Expr(chunk_channels) : max(min(Expr(chunk_channels), part1 - c0), Expr(0)).within(0, chunk_channels);
        const Expr x0 = whole_groups ? first_group * Expr(group_channels) : own_group * Expr(group_channels) + c0;
        const Expr xt = whole_groups ? tile_groups * Expr(group_channels) : ct;
        const tile::TileView x = e.load(Ring::activation,
                                        {layer.x_tensor,
                                         {box.origins[0], windows[0].origin, windows[1].origin, windows[2].origin, x0},
                                         {Expr(1), windows[0].extent, windows[1].extent, windows[2].extent, xt}},
                                        "x", {}, share_x);
        const tile::TileView taps_tile = once || stacked ? held : load_weights(c0, ct, o0, ot);
        if (!extra_first) load_tiles(e, epilogue, box, extra);
        std::vector<tile::Operand> operands{result, x, taps_tile};
        operands.insert(operands.end(), extra.begin(), extra.end());
        e.emit(layer.depthwise ? Opcode::conv_depthwise : Opcode::conv, Queue::matrix, operands,
               {accumulator_offset(e, unit * Expr(tile.stack) + i), chunk, equal(chunk, Expr(chunks - 1)), chain,
                w.stride[0], w.stride[1], w.stride[2], w.dilation[0], w.dilation[1], w.dilation[2], windows[0].before,
                windows[1].before, windows[2].before, windows[0].after, windows[1].after, windows[2].after,
                layer.depthwise ? Expr(1) : tile_groups});
      });
      tile::Window window{to, box.origins, box.extents};
      if (split) {
        window.origins.insert(window.origins.begin(), at.back());
        window.extents.insert(window.extents.begin(), Expr(1));
      }
      e.store(window, result);
    };
    e.loop("t", stack_trips(stack, 2, tile), emit_tile);
  });
  if (split) emit_combine(e, layer.group, partial, layer.out, layer.streams, layer.strides, "conv");
}

void emit_conv_transpose(Emitter& e, const Group& group) {
  const Layer layer = layer_of(e, group, "conv_transpose");
  const Windows& w = layer.windows;
  const int64_t channels = layer.x.extents[4], features = layer.out.extents[4],
                taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
  const int64_t group_channels = channels / layer.groups, group_features = features / layer.groups;
  e.account(static_cast<uint64_t>(elements(layer.x.extents)) * static_cast<uint64_t>(taps * group_features),
            layer.x.dtype);
  const int64_t bytes = bytes_of(layer.x.dtype);
  // Tiles of whole images: rows are cut where the input, or the result, does not fit.
  const auto fits = [&](int64_t rows, int64_t n) {
    const int64_t reach = (rows + (w.kernel[1] - 1) * w.dilation[1]) / w.stride[1] + 1;
    return std::min(reach, w.in[1]) * w.in[2] * w.in[0] * group_channels * (layer.groups > 1 ? n / group_features : 1) *
                   bytes <=
               e.limit(Ring::activation) &&
           rows * w.out[2] * w.out[0] * n * std::max(bytes_of(layer.out.dtype), 4) <= e.limit(Ring::result) &&
           taps * group_channels * n * bytes <= e.limit(Ring::weight) &&
           rows * w.out[2] * w.out[0] * n * 4 <=
               e.chip().scratchpad.accumulator_bytes / std::max<int64_t>(e.chip().scratchpad.accumulator_tiles, 1);
  };
  int64_t rows = w.out[1],
          n = even_part(layer.groups > 1 ? layer.groups : features, (features + e.cores() - 1) / e.cores());
  if (layer.groups > 1) n = std::max<int64_t>(1, layer.groups / e.cores()) * group_features;
  while (rows > 1 && !fits(rows, n)) rows = (rows + 1) / 2;
  while (n > (layer.groups > 1 ? group_features : 1) && !fits(rows, n))
    n = layer.groups > 1 ? group_features : (n + 1) / 2;
  if (!fits(rows, n)) return e.fail("plan.capacity", "no tile of this transposed convolution fits the scratchpad");

  const std::vector<int64_t> parts{1, w.out[0], rows, w.out[2], n};
  const Epilogue epilogue{layer.group, layer.streams, layer.tensors, layer.strides, 5};
  const Expr chain = layer.group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(layer.group.chain));
  e.units(counts_of(layer.out.extents, parts), [&](const std::vector<Expr>& at, const Expr& unit) {
    const TileBox box = tile_box(layer.out.extents, parts, at);
    std::vector<tile::Operand> extra = load_vectors(e, epilogue, box, {});
    load_tiles(e, epilogue, box, extra);
    const tile::TileView result{e.tile(Ring::result, layer.out.dtype, "y"), box.extents};
    // Input rows that reach output rows [o, o + t).
    const Expr o = box.origins[2] + Expr(w.pad[1]);
    const Expr reach((w.kernel[1] - 1) * w.dilation[1]);
    const Expr first = min(max(Expr(0), min(ceil_div(o - reach, Expr(w.stride[1])), floor_div(o, Expr(w.stride[1])))),
                           Expr(w.in[1] - 1));
    const Expr last = min(Expr(w.in[1] - 1), floor_div(o + box.extents[2] - Expr(1), Expr(w.stride[1])));
    const int64_t most = std::min((rows + (w.kernel[1] - 1) * w.dilation[1]) / w.stride[1] + 1, w.in[1]);
    const Expr height = max(last - first + Expr(1), Expr(1)).within(1, most);
    const Expr before = o - first * Expr(w.stride[1]);
    const Expr first_group = layer.groups > 1 ? floor_div(box.origins[4], Expr(group_features)) : Expr(0);
    const Expr tile_groups = layer.groups > 1 ? floor_div(box.extents[4], Expr(group_features)) : Expr(1);
    const tile::TileView x = e.load(Ring::activation,
                                    {layer.x_tensor,
                                     {box.origins[0], Expr(0), first, Expr(0), first_group * Expr(group_channels)},
                                     {Expr(1), Expr(w.in[0]), height, Expr(w.in[2]),
                                      layer.groups > 1 ? tile_groups * Expr(group_channels) : Expr(channels)}},
                                    "x");
    const tile::TileView weights =
        e.load(layer.constant_weights ? Ring::weight : Ring::activation2,
               {layer.w_tensor,
                {Expr(0), Expr(0), Expr(0), Expr(0), box.origins[4]},
                {Expr(w.kernel[0]), Expr(w.kernel[1]), Expr(w.kernel[2]), Expr(group_channels), box.extents[4]}},
               "w");
    std::vector<tile::Operand> operands{result, x, weights};
    operands.insert(operands.end(), extra.begin(), extra.end());
    const auto after = [&](size_t d, const Expr& in, const Expr& begin, const Expr& out) {
      return (in - Expr(1)) * Expr(w.stride[d]) + Expr((w.kernel[d] - 1) * w.dilation[d] + 1) - begin - out;
    };
    const Expr pad_d(w.pad[0]), pad_w(w.pad[2]);
    e.emit(Opcode::conv_transpose, Queue::matrix, operands,
           {accumulator_offset(e, unit), Expr(0), Expr(1), chain, w.stride[0], w.stride[1], w.stride[2], w.dilation[0],
            w.dilation[1], w.dilation[2], pad_d, before, pad_w, after(0, Expr(w.in[0]), pad_d, box.extents[1]),
            after(1, height, before, box.extents[2]), after(2, Expr(w.in[2]), pad_w, box.extents[3]), tile_groups});
    e.store({layer.out_tensor, box.origins, box.extents}, result);
  });
}

}  // namespace hadal::compile
