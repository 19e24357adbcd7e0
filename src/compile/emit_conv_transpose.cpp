// Transposed convolutions: whole images, or rows of them, and features dealt to the cores.
#include <algorithm>

#include "compile/conv_layer.h"
#include "compile/matrix_tiling.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

void emit_conv_transpose(Emitter& e, const Group& group) {
  const ConvLayer layer = conv_layer(e, group, "conv_transpose");
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
