// Convolutions: output tiles of rows and channels dealt to the cores, a loop over chunks of input channels inside. The
// input window of a tile is clamped to the image; what it lacks is padding, a field of the instruction.
#include <algorithm>
#include <array>
#include <iterator>

#include "compile/conv_layer.h"
#include "compile/known_tiles.h"
#include "compile/matrix_tiling.h"
#include "compile/weights.h"

namespace hadal::compile {

using isa::Opcode;
using isa::Queue;

namespace {

void set_blocks(Emitter& e, ConvLayer& layer, const WeightBlocks& blocks) {
  const graph::ValueId v = e.graph().nodes[static_cast<size_t>(layer.group.main)].inputs[1];
  const Tensor& tensor = *e.graph().value(v).constant;
  layer.w = blocked_weights(e, v, blocks);
  layer.w_tensor = e.tensor(layer.w, e.graph().value(v).name, false);
  e.count_bytes(layer.w, tensor.size() * bytes_of(tensor.dtype));
}

/// The search's view of the layer with rows of `width` output pixels; of several `images`, whole ones are a row.
MatrixLayer search_layer(const Emitter& e, const ConvLayer& layer, int64_t width, int64_t images = 1) {
  const Windows& w = layer.windows;
  MatrixLayer out;
  const int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2], channels = layer.x.extents[4] / layer.groups;
  out.batch = layer.out.extents[0] * w.out[0] * ((w.out[2] + width - 1) / width);
  out.rows = w.out[1];
  out.row_pixels = width;
  if (images > 1) {
    out.batch = (layer.out.extents[0] + images - 1) / images;
    out.rows = 1;
    out.row_pixels = images * w.out[1] * w.out[2];
  }
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
  out.far_stream = e.far(layer.x);
  out.far_weights = layer.constant_weights || e.far(layer.w);
  out.far_result = e.far(layer.out);
  out.stored_bytes = bytes_of(layer.out.dtype);
  const int64_t bytes = bytes_of(layer.x.dtype);
  for (const auto& extents : {w.kernel, w.stride, w.dilation, w.in})
    out.window.insert(out.window.end(), extents.begin(), extents.end());
  out.window.push_back(w.outside == 0 ? 0 : 1);
  out.stream_bytes = [w, taps, width, bytes, images](int64_t rows, int64_t k) {
    const auto reach = [&](size_t d, int64_t positions) {
      const int64_t need = (positions - 1) * w.stride[d] + (w.kernel[d] - 1) * w.dilation[d] + 1;
      return w.outside == 0 ? std::min(need, w.in[d]) : need;
    };
    const int64_t deep = w.outside == 0 ? std::min(w.kernel[0], w.in[0]) : w.kernel[0];
    return images * reach(1, images > 1 ? w.out[1] : rows) * reach(2, width) * deep * (k / taps) * bytes;
  };
  return out;
}

/// Tiles of several whole images, where one does not keep the array busy.
std::vector<MatrixTile> tiles_of_images(const Emitter& e, const ConvLayer& layer) {
  const Windows& w = layer.windows;
  std::vector<MatrixTile> tiles;
  if (e.plan().profile || layer.depthwise || w.out[0] > 1) return tiles;
  const int64_t pixels = w.out[1] * w.out[2], enough = 8 * e.chip().matrix.rows;
  for (int64_t images = 2; images <= layer.out.extents[0] && images / 2 * pixels < enough; images *= 2)
    for (MatrixTile& tile : matrix_tiles(e, search_layer(e, layer, w.out[2], images))) {
      tile.rows = w.out[1], tile.row_pixels = w.out[2], tile.images = images;
      tiles.push_back(tile);
    }
  return tiles;
}

/// Whole rows, or parts of them: blocks of pixels share out more evenly, and long rows fit; or whole images.
MatrixTile choose_conv_tile(Emitter& e, const ConvLayer& layer) {
  const int64_t whole = layer.windows.out[2];
  std::vector<MatrixTile> tiles;
  for (int64_t parts = 1; parts <= whole && (parts <= e.cores() || tiles.empty()); parts *= 2)
    std::ranges::move(matrix_tiles(e, search_layer(e, layer, even_part(whole, (whole + parts - 1) / parts))),
                      std::back_inserter(tiles));
  std::ranges::move(tiles_of_images(e, layer), std::back_inserter(tiles));
  return choose_tile(e, search_layer(e, layer, whole), best_tiles(tiles));
}

/// The phase being written.
class ConvPhase {
 public:
  ConvPhase(Emitter& e, ConvLayer& layer, const MatrixTile& tile);
  void emit();

 private:
  struct Unit {
    TileBox box;
    Expr number, part;  ///< Of the core's units; of the contraction.
    Expr part0, part1;  ///< Channels of a group that the part has.
    Expr first_x;       ///< Where the channels begin that the tile's groups read,
    Expr x_channels;    ///< and how many these are, where they are whole groups.
    Expr groups;        ///< Of a tile.
  };
  [[nodiscard]] Unit unit_of(const std::vector<Expr>& at, const Expr& number) const;
  tile::TileView load_x(const Unit& unit, const TileBox& box, const Expr& c0, const Expr& ct);
  tile::TileView load_weights(const TileBox& box, const Expr& chunk, const Expr& c0, const Expr& ct);
  [[nodiscard]] Expr channels_of(const Expr& chunk) const { return filled_ > 0 ? Expr(filled_) : chunk; }
  void emit_unit(const Unit& unit);
  void emit_tile(const Unit& unit, const Expr& i, const tile::TileView& held,
                 const std::vector<tile::Operand>& vectors);
  [[nodiscard]] std::array<InputWindow, spatial> windows_of(const TileBox& box) const {
    std::array<InputWindow, spatial> out;
    for (size_t d = 0; d < spatial; ++d) out[d] = input_window(w_, d, box.origins[d + 1], box.extents[d + 1]);
    return out;
  }

  Emitter& e_;
  ConvLayer& layer_;
  const Windows& w_;
  const MatrixTile tile_;
  const int64_t taps_, group_channels_, group_features_;
  const int64_t part_channels_, chunk_channels_, chunks_;
  const bool split_, whole_groups_;  ///< A tile has groups as a whole.
  std::vector<int64_t> parts_, counts_;
  int64_t parts_of_group_ = 1;
  const WeightBlocks blocks_;  ///< Of constant weights of one group.
  int64_t filled_ = 0;         ///< Channels that a chunk has in the core, where these are more than the tensor's.
  bool once_ = false;          ///< All tiles have the same weights,
  tile::TileView weights_;     ///< these.
  Placed partial_;
  int to_ = 0;
  Expr chain_;
  isa::Sharing share_x_, share_w_, share_c_;
  Epilogue epilogue_;
};

ConvPhase::ConvPhase(Emitter& e, ConvLayer& layer, const MatrixTile& tile)
    : e_(e),
      layer_(layer),
      w_(layer.windows),
      tile_(tile),
      taps_(w_.kernel[0] * w_.kernel[1] * w_.kernel[2]),
      group_channels_(layer.x.extents[4] / layer.groups),
      group_features_(layer.out.extents[4] / layer.groups),
      part_channels_(tile.part / taps_),
      chunk_channels_(tile.k / taps_),
      chunks_((part_channels_ + chunk_channels_ - 1) / chunk_channels_),
      split_(tile.splits > 1),
      whole_groups_(layer.groups > 1 && !layer.group_by_group),
      parts_{tile.images, 1, tile.rows * tile.stack, tile.row_pixels, tile.n},
      counts_(counts_of(layer.out.extents, parts_)),
      parts_of_group_((group_features_ + parts_[4] - 1) / parts_[4]),
      blocks_(WeightBlocks::of(group_channels_, layer.out.extents[4], part_channels_, chunk_channels_, tile.n)),
      epilogue_{layer.group, layer.streams, layer.tensors, layer.strides, 5} {
  if (layer.blocks) set_blocks(e, layer, blocks_);
  if (const Profile* profile = e.plan().profile; profile && chunks_ == 1 && layer.blocks) {
    const int64_t lanes = profile->convolution.lanes;
    const bool fills = part_channels_ % lanes != 0 && part_channels_ >= profile->convolution.packed;
    filled_ = fills ? (part_channels_ + lanes - 1) / lanes * lanes : 0;
  }
  if (layer.group_by_group) counts_[4] = layer.groups * parts_of_group_;
  counts_.push_back(tile.splits);
  const std::string& name = e.graph().value(layer.group.result).name;
  partial_ = split_ ? partial_sums(e, layer.out, tile.splits, name) : layer.out;
  to_ = split_ ? e.tensor(partial_, name + ".parts") : layer.out_tensor;
  chain_ = split_ || layer.group.chain.steps.empty() ? Expr(isa::no_chain) : Expr(e.add_chain(layer.group.chain));
  // Of [N, D, H, W, C, part], activations do not differ in C (unless it says which groups), weights only in C and part.
  share_x_ = e.sharing(counts_, tile::dims_of({true, true, true, true, layer.groups > 1, true}));
  share_c_ = e.sharing(counts_, tile::dims_of({false, false, false, false, true, true}));
  once_ = chunks_ == 1 && counts_[4] == 1 && !split_;
  share_w_ = once_ ? isa::Sharing{e.cores(), 1} : share_c_;
}

ConvPhase::Unit ConvPhase::unit_of(const std::vector<Expr>& at, const Expr& number) const {
  Unit unit;
  unit.box = tile_box(layer_.out.extents, parts_, at);
  unit.number = number;
  unit.part = at.back();
  TileBox& box = unit.box;
  const Expr features(group_features_), channels(group_channels_);
  if (layer_.group_by_group) {
    const Expr group = floor_div(at[4], Expr(parts_of_group_)),
               first = mod(at[4], Expr(parts_of_group_)) * Expr(parts_[4]);
    box.origins[4] = group * features + first;
    box.extents[4] = group_features_ % parts_[4] == 0 ? Expr(parts_[4]) : min(Expr(parts_[4]), features - first);
    unit.first_x = group * channels;
  }
  unit.groups = whole_groups_ ? floor_div(box.extents[4], features) : Expr(1);
  if (whole_groups_) unit.first_x = floor_div(box.origins[4], features) * channels;
  unit.x_channels = unit.groups * channels;
  unit.part0 = at.back() * Expr(part_channels_);
  unit.part1 = min(unit.part0 + Expr(part_channels_), channels);
  return unit;
}

tile::TileView ConvPhase::load_x(const Unit& unit, const TileBox& box, const Expr& c0, const Expr& ct) {
  const auto windows = windows_of(box);
  return e_.load(Ring::activation,
                 {layer_.x_tensor,
                  {box.origins[0], windows[0].origin, windows[1].origin, windows[2].origin,
                   whole_groups_ ? unit.first_x : unit.first_x + c0},
                  {box.extents[0], windows[0].extent, windows[1].extent, windows[2].extent,
                   whole_groups_ ? unit.x_channels : channels_of(ct)}},
                 "x", {}, share_x_, filled_ > 0 || w_.outside != 0 ? std::optional(w_.outside) : std::nullopt);
}

/// `chunk` counts steps of the contraction, those of all its parts.
tile::TileView ConvPhase::load_weights(const TileBox& box, const Expr& chunk, const Expr& c0, const Expr& ct) {
  const Expr kd(w_.kernel[0]), kh(w_.kernel[1]), kw(w_.kernel[2]), none(0), o0 = box.origins[4], ot = box.extents[4];
  const Ring ring = e_.stationary(layer_.constant_weights);
  if (layer_.depthwise) {
    const Expr multiplier(group_features_);
    return e_.load(ring,
                   {layer_.w_tensor,
                    {none, none, none, none, floor_div(o0, multiplier)},
                    {kd, kh, kw, multiplier, floor_div(ot, multiplier)}},
                   "w", {}, share_w_);
  }
  if (layer_.blocks)
    return e_.load(
        ring,
        {layer_.w_tensor,
         {blocks_.block(floor_div(o0, Expr(tile_.n)), chunk), none, none, none, blocks_.whole() ? c0 : none, none},
         {Expr(1), kd, kh, kw, channels_of(ct), ot}},
        "w", {kd, kh, kw, channels_of(ct), ot}, share_w_, filled_ > 0 ? std::optional(0.0) : std::nullopt);
  return e_.load(ring, {layer_.w_tensor, {none, none, none, c0, o0}, {kd, kh, kw, ct, ot}}, "w", {}, share_w_);
}

void ConvPhase::emit_tile(const Unit& unit, const Expr& i, const tile::TileView& held,
                          const std::vector<tile::Operand>& vectors) {
  const TileBox box = tile_of_stack(unit.box, 2, tile_, i);
  const bool extra_first = epilogue_first(e_, layer_.streams, layer_.x, chunks_);
  std::vector<tile::Operand> extra = vectors;
  if (extra_first) load_tiles(e_, epilogue_, box, extra);
  const tile::TileView result{e_.tile(Ring::result, split_ ? DType::f32 : layer_.out.dtype, "y"), box.extents};
  const auto windows = windows_of(box);
  e_.loop("c", Expr(chunks_), [&](const Expr& chunk) {
    const Expr c0 = unit.part0 + chunk * Expr(chunk_channels_);
    const bool even = part_channels_ % chunk_channels_ == 0 && group_channels_ % part_channels_ == 0;
    const Expr ct = even ? Expr(chunk_channels_)
                         : max(min(Expr(chunk_channels_), unit.part1 - c0), Expr(0)).within(0, chunk_channels_);
    const tile::TileView x = load_x(unit, box, c0, ct);
    const tile::TileView taps =
        once_ || tile_.stack > 1 ? held : load_weights(box, unit.part * Expr(chunks_) + chunk, c0, ct);
    if (!extra_first) load_tiles(e_, epilogue_, box, extra);
    std::vector<tile::Operand> operands{result, x, taps};
    operands.insert(operands.end(), extra.begin(), extra.end());
    std::vector<Expr> fields{accumulator_offset(e_, unit.number * Expr(tile_.stack) + i), chunk,
                             equal(chunk, Expr(chunks_ - 1)), chain_};
    for (size_t d = 0; d < spatial; ++d) fields.emplace_back(w_.stride[d]);
    for (size_t d = 0; d < spatial; ++d) fields.emplace_back(w_.dilation[d]);
    for (size_t d = 0; d < spatial; ++d) fields.push_back(windows[d].before);
    for (size_t d = 0; d < spatial; ++d) fields.push_back(windows[d].after);
    fields.push_back(layer_.depthwise ? Expr(1) : unit.groups);
    e_.emit(layer_.depthwise ? Opcode::conv_depthwise : Opcode::conv, Queue::matrix, operands, fields);
  });
  tile::Window window{to_, box.origins, box.extents};
  if (split_) {
    window.origins.insert(window.origins.begin(), unit.part);
    window.extents.insert(window.extents.begin(), Expr(1));
  }
  e_.store(window, result);
}

void ConvPhase::emit_unit(const Unit& unit) {
  const std::vector<tile::Operand> vectors =
      split_ ? std::vector<tile::Operand>{} : load_vectors(e_, epilogue_, unit.box, share_c_);
  tile::TileView held = weights_;
  if (tile_.stack > 1 && !once_) held = load_weights(unit.box, Expr(0), Expr(0), Expr(group_channels_));
  e_.loop("t", stack_tiles(unit.box, 2, tile_), [&](const Expr& i) { emit_tile(unit, i, held, vectors); });
}

void ConvPhase::emit() {
  if (once_) {
    TileBox all;
    all.origins.assign(5, Expr(0));
    for (const int64_t extent : layer_.out.extents) all.extents.emplace_back(extent);
    weights_ = load_weights(all, Expr(0), Expr(0), Expr(group_channels_));
  }
  e_.units(counts_, [&](const std::vector<Expr>& at, const Expr& number) { emit_unit(unit_of(at, number)); });
  if (split_) emit_combine(e_, layer_.group, partial_, layer_.out, layer_.streams, layer_.strides, "conv");
}

}  // namespace

void emit_conv(Emitter& e, const Group& group) {
  ConvLayer layer = conv_layer(e, group, "conv");
  MatrixTile tile{.rows = 0};
  if (e.plan().profile && layer.groups == 1 && layer.constant_weights && layer.windows.out[0] == 1)
    tile = choose_known_convolution(e, search_layer(e, layer, layer.windows.out[2]));
  if (tile.rows == 0) tile = choose_conv_tile(e, layer);
  if (tile.rows == 0 && layer.groups > 1 && !layer.depthwise) {
    layer.group_by_group = true;
    tile = choose_conv_tile(e, layer);
  }
  if (tile.rows == 0) return e.fail("plan.capacity", "no tile of this convolution fits the scratchpad");
  const Windows& w = layer.windows;
  const int64_t k = w.kernel[0] * w.kernel[1] * w.kernel[2] * layer.x.extents[4] / layer.groups;
  e.account(static_cast<uint64_t>(elements(layer.out.extents)) * static_cast<uint64_t>(k), layer.x.dtype);
  ConvPhase(e, layer, tile).emit();
}

}  // namespace hadal::compile
