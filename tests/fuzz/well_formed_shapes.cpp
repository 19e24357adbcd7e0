#include "fuzz/well_formed_shapes.h"

#include <algorithm>

namespace hadal::fuzz {

namespace {

constexpr std::array floats{DType::f32,    DType::f32,    DType::f64,        DType::f16,        DType::bf16,
                            DType::f8e4m3, DType::f8e5m2, DType::f8e4m3fnuz, DType::f8e5m2fnuz, DType::f4e2m1};
constexpr std::array others{DType::i8,  DType::u8,  DType::i16,     DType::u16, DType::i32, DType::u32,
                            DType::i64, DType::u64, DType::boolean, DType::i4,  DType::u4,  DType::f8e8m0};

Sample draw_gather(Source& s) {
  const Shape rows = s.shape(1, 3), places = s.shape(1, 2);
  const bool clamps = s.random.one_in(2);
  Tile from = s.loaded(s.any_type(), rows), to = from;
  to.shape = places;
  to.shape.insert(to.shape.end(), rows.begin() + 1, rows.end());
  Tile index = s.index(places, rows[0]);
  if (clamps) index.range->second += 2;
  return {isa::Opcode::gather, {to, from, index}, {{"bounds", clamps}}};
}

Sample draw_scatter(Source& s) {
  const DType dtype = s.any_type();
  const Shape updates = s.shape(1, 4);
  const auto axis = s.random.below(updates.size());
  Tile from = s.loaded(dtype, updates), to = from;
  to.shape[axis] = s.of(1, 6);
  Shape places = updates;
  for (size_t i = 0; i < places.size(); ++i)
    if (i != axis && s.random.one_in(2)) places[i] = 1;
  return {isa::Opcode::scatter, {to, from, s.index(places, to.shape[axis])}, {{"axis", axis}, {"combine", s.of(0, 4)}}};
}

/// non_max_suppression: boxes, scores, how many of a class, overlap, least score.
Sample draw_host_call(Source& s) {
  if (s.builder.program.functions.empty()) s.builder.program.functions.emplace_back("non_max_suppression");
  const int64_t batch = s.of(1, 2), boxes = s.of(1, 6), classes = s.of(1, 2);
  const Tile rows{DType::i64, {s.of(1, 8), 3}, Trust::equal, 0};
  std::vector<std::optional<Tile>> operands{rows, Tile{DType::i64, {1}, Trust::equal, 0},
                                            s.on_grid(DType::f32, {batch, boxes, 4}),
                                            s.loaded(DType::f32, {batch, classes, boxes})};
  if (s.random.one_in(2)) operands[1].reset();
  Tile per_class{DType::i64, {1}, Trust::equal, 4, std::pair{0, 4}};
  operands.push_back(per_class);
  operands.push_back(s.on_grid(DType::f32, {1}));
  return {isa::Opcode::host_call, operands, {{"function", 0}}};
}

}  // namespace

Shape Source::shape(size_t least_rank, size_t most_rank) {
  Shape shape(least_rank + random.below(most_rank - least_rank + 1));
  for (int64_t& extent : shape) extent = of(1, random.one_in(6) ? 9 : 4);
  if (random.one_in(8)) shape.back() = of(1, 40);
  constexpr int64_t most_elements = 512;
  while (elements(shape) > most_elements) *std::ranges::max_element(shape) /= 2;
  return shape;
}

DType Source::float_type() { return floats[random.below(floats.size())]; }
DType Source::any_type() { return random.one_in(2) ? float_type() : others[random.below(others.size())]; }
DType Source::integer_type() { return random.pick({DType::i64, DType::i32, DType::i16, DType::i8, DType::u8}); }

Tile Source::loaded(DType dtype, const Shape& shape) {
  if (dtype != DType::f8e8m0 && random.one_in(2)) return on_grid(dtype, shape);
  Tile tile{dtype, shape, Trust::equal, 2};
  if (!is_float(dtype)) {
    const int bits = std::min(info(dtype).bits, 33);  // Sums of the widest do not pass 64 bits.
    const int64_t half = int64_t{1} << (bits - 1);
    tile.range = dtype == DType::boolean ? std::pair<int64_t, int64_t>{0, 1}
                 : info(dtype).is_signed ? std::pair{-half, half - 1}
                                         : std::pair{int64_t{0}, 2 * half - 1};
    tile.most = 2 * static_cast<double>(half);
  }
  return tile;
}

Tile Source::on_grid(DType dtype, const Shape& shape) {
  Tile tile{dtype, shape, Trust::grid, 2};
  if (is_float(dtype)) return tile;
  const int64_t most = dtype == DType::boolean ? 1 : info(dtype).bits < 5 ? 3 : 8;
  tile.range = {info(dtype).is_signed ? -most : 0, most};
  tile.most = static_cast<double>(most);
  return tile;
}

Tile Source::index(const Shape& shape, int64_t rows) {
  Tile tile{integer_type(), shape, Trust::equal, static_cast<double>(rows)};
  tile.range = {info(tile.dtype).is_signed ? -rows : 0, rows - 1};
  return tile;
}

Tile broadcast(Source& source, DType dtype, const Shape& out) {
  Shape shape = out;
  for (int64_t& extent : shape)
    if (source.random.one_in(4)) extent = 1;
  return source.loaded(dtype, shape);
}

std::optional<Sample> draw(isa::Opcode op, Source& source) {
  switch (op) {
    case isa::Opcode::gather:
      return draw_gather(source);
    case isa::Opcode::scatter:
      return draw_scatter(source);
    case isa::Opcode::host_call:
      return draw_host_call(source);
    default:
      if (auto sample = draw_matrix(op, source)) return sample;
      return draw_vector(op, source);
  }
}

}  // namespace hadal::fuzz
