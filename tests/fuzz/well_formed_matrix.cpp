// Shape rules of the matrix engine.
#include <algorithm>
#include <array>

#include "fuzz/well_formed_shapes.h"
#include "isa/fields.h"

namespace hadal::fuzz {

namespace {

using isa::Opcode;

constexpr std::array<const char*, 3> strides{"stride_d", "stride_h", "stride_w"};
constexpr std::array<const char*, 3> dilations{"dilation_d", "dilation_h", "dilation_w"};
constexpr std::array<const char*, 3> pads_before{"pad_front", "pad_top", "pad_left"};
constexpr std::array<const char*, 3> pads_after{"pad_back", "pad_bottom", "pad_right"};

struct Operands {
  Tile out, a, b;
};

Tile product_tile(Source& s, DType dtype, const Shape& shape) {
  return s.random.one_in(3) ? s.on_grid(dtype, shape) : s.loaded(dtype, shape);
}
DType float_product(Source& s) {
  return s.random.pick({DType::f32, DType::f32, DType::bf16, DType::f16, DType::f8e4m3, DType::f8e5m2});
}
DType other_product(Source& s, DType first) {
  return is_float(first) ? float_product(s) : s.random.pick({DType::i8, DType::u8});
}

/// Sums of `terms` products, up to most_parts times: of integers exact, of floats exact where both lie on the grid.
void set_sums(Source& s, Operands& o, int64_t terms, double scale = 1) {
  o.out.most = static_cast<double>(terms * most_parts) * o.a.most * o.b.most * scale;
  const bool exact = !is_float(o.a.dtype) || (o.a.trust == Trust::grid && o.b.trust == Trust::grid);
  o.out.trust = exact ? Trust::equal : Trust::close;
  o.out.dtype = !exact                ? s.random.pick({DType::f32, DType::f32, DType::bf16, DType::f16})
                : is_float(o.a.dtype) ? s.random.pick({DType::f32, DType::f16, DType::i8, DType::f8e4m3})
                                      : s.random.pick({DType::i32, DType::i32, DType::i8, DType::u8, DType::f32});
}

/// The sample of these operands, with an epilogue half the time.
Sample finished(Source& s, Opcode op, Operands o, machine::ProgramBuilder::Fields fields) {
  fields.emplace_back("accumulator", 4 * s.of(0, 64));
  std::vector<std::optional<Tile>> operands(3);
  if (s.random.one_in(2)) {
    std::vector<Tile> streams{o.out};
    const bool integers = !is_float(o.a.dtype) && !is_float(o.out.dtype);
    for (int64_t i = s.of(0, 3); i > 0; --i)
      streams.push_back(broadcast(s, integers ? DType::i32 : s.random.pick({DType::f32, DType::bf16}), o.out.shape));
    streams[0].dtype = is_float(o.a.dtype) ? DType::f32 : DType::i32;
    fields.emplace_back("epilogue", draw_chain(s, streams, o.out));
    for (size_t i = 1; i < streams.size(); ++i) operands.emplace_back(streams[i]);
  }
  operands[0] = o.out;
  operands[1] = o.a;
  operands[2] = o.b;
  return {op, operands, std::move(fields)};
}

Shape turned(Shape shape, bool turn) {
  if (turn) std::swap(shape[1], shape[2]);
  return shape;
}

bool may_be_multiplied(const Tile* tile) {
  return tile && tile->shape.size() == 3 && tile->trust != Trust::close && tile->most <= 64 &&
         (tile->dtype == DType::f32 || tile->dtype == DType::bf16 || tile->dtype == DType::f16);
}

Sample draw_matmul(Opcode op, Source& s) {
  const bool scaled = op == Opcode::matmul_scaled, reads_previous = may_be_multiplied(s.previous);
  const bool ta = s.random.one_in(3), tb = s.random.one_in(3);
  Operands o;
  if (reads_previous) {
    o.a = *s.previous;
  } else {
    const DType type = scaled || s.random.one_in(2) ? float_product(s) : other_product(s, DType::i8);
    o.a = product_tile(s, type, {s.of(1, 3), s.of(1, s.random.one_in(5) ? 20 : 5), s.of(1, 6)});
    if (scaled && s.random.one_in(4)) o.a.shape[2] = ta ? 3 : s.of(128, 132);
  }
  const Shape a = turned(o.a.shape, ta);
  const int64_t batch = a[0] == 1 ? s.of(1, 2) : a[0], n = s.of(1, s.random.one_in(5) ? 20 : 5);
  o.b = product_tile(s, other_product(s, o.a.dtype), turned({s.random.one_in(2) ? 1 : batch, a[2], n}, tb));
  o.out.shape = {batch, a[1], n};
  set_sums(s, o, a[2], scaled ? 4 : 1);
  machine::ProgramBuilder::Fields fields{{"transpose_a", ta}, {"transpose_b", tb}};
  const int64_t shift = s.random.one_in(2) ? s.of(0, 127) : 0;
  if (scaled) fields.emplace_back("shift", shift);
  Sample sample = finished(s, op, o, std::move(fields));
  if (reads_previous) sample.previous = 1;
  if (!scaled) return sample;
  const int64_t blocks = (a[2] + 127) / 128;
  sample.operands.resize(6);
  sample.operands.emplace_back(s.on_grid(DType::f32, {s.random.one_in(2) ? 1 : batch, a[1], blocks}));
  sample.operands.emplace_back(
      s.on_grid(DType::f32, {s.random.one_in(2) ? 1 : batch, blocks, (shift + n + 127) / 128}));
  return sample;
}

/// One axis of a window: the input's extent, the window's, and what comes out; fields to match.
struct Axis {
  int64_t input = 1, kernel = 1, output = 1;
};

Axis draw_axis(Source& s, size_t axis, bool spreads, machine::ProgramBuilder::Fields& fields) {
  while (true) {
    const bool flat = axis == 0 && !s.random.one_in(4);
    const int64_t input = flat ? 1 : s.of(1, 6), kernel = flat ? 1 : s.of(1, 3), stride = s.of(1, 2);
    const int64_t dilation = s.of(1, 2), before = s.of(spreads ? -1 : 0, 2), after = s.of(spreads ? -1 : 0, 2);
    const int64_t reach = dilation * (kernel - 1) + 1;
    const int64_t output =
        spreads ? (input - 1) * stride + reach - before - after : (input + before + after - reach + stride) / stride;
    if (output < 1 || (!spreads && input + before + after < reach)) continue;
    fields.insert(
        fields.end(),
        {{strides[axis], stride}, {dilations[axis], dilation}, {pads_before[axis], before}, {pads_after[axis], after}});
    return {input, kernel, output};
  }
}

Sample draw_conv(Opcode op, Source& s) {
  const bool depthwise = op == Opcode::conv_depthwise;
  const int64_t groups = depthwise ? 1 : s.of(1, 2), channels = s.of(1, 4), features = s.of(1, 4), batch = s.of(1, 2);
  machine::ProgramBuilder::Fields fields{{"groups", groups}};
  Shape x{batch}, w, out{batch};
  for (size_t axis = 0; axis < 3; ++axis) {
    const Axis along = draw_axis(s, axis, op == Opcode::conv_transpose, fields);
    x.push_back(along.input);
    w.push_back(along.kernel);
    out.push_back(along.output);
  }
  x.push_back(channels * groups);
  out.push_back(depthwise ? channels * features : features * groups);
  w.insert(w.end(), {depthwise ? features : channels, depthwise ? channels : features * groups});
  const DType type = s.random.one_in(2) ? float_product(s) : other_product(s, DType::i8);
  Operands o{{DType::f32, out}, product_tile(s, type, x), product_tile(s, other_product(s, type), w)};
  o.b.is_finite = true;  // What padding times others is, fast kernels may leave out (docs/numerics.md).
  set_sums(s, o, w[0] * w[1] * w[2] * (depthwise ? 1 : channels));
  Sample sample = finished(s, op, o, std::move(fields));
  sample.batched = {0, 1};
  for (size_t i = isa::at::epilogue_0; i < sample.operands.size(); ++i)
    if (sample.operands[i]->shape[0] == batch) sample.batched.push_back(i);
  return sample;
}

}  // namespace

std::optional<Sample> draw_matrix(Opcode op, Source& source) {
  switch (op) {
    case Opcode::matmul:
    case Opcode::matmul_scaled:
      return draw_matmul(op, source);
    case Opcode::conv:
    case Opcode::conv_depthwise:
    case Opcode::conv_transpose:
      return draw_conv(op, source);
    default:
      return std::nullopt;
  }
}

}  // namespace hadal::fuzz
