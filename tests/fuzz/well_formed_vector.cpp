// Shape rules of the vector engine.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/result.h"
#include "fuzz/well_formed_shapes.h"

namespace hadal::fuzz {

namespace {

using isa::Opcode;

/// What an instruction asks of the tile that it works on.
struct Need {
  bool floats = false;
  Trust trust = Trust::equal;
  size_t least_rank = 1, most_rank = 4;
  double most = 1e30;
};

bool meets(const Tile& tile, const Need& need) {
  return tile.trust <= need.trust && (is_float(tile.dtype) || !need.floats) && tile.shape.size() >= need.least_rank &&
         tile.shape.size() <= need.most_rank && tile.most <= need.most;
}

/// What may be off in its last place is not rounded to a type without numbers below 0.
void widen(Tile& out) {
  if (out.trust == Trust::close && out.dtype == DType::f8e8m0) out.dtype = DType::f32;
}

/// A sample that reads the tile of the instruction before where it can, or one that is loaded.
struct Draft {
  Draft(Opcode op, Source& s, const Need& need) {
    const bool reads_previous = s.previous && meets(*s.previous, need);
    const Shape shape = s.shape(need.least_rank, need.most_rank);
    const DType dtype = need.floats ? s.float_type() : s.any_type();
    in = reads_previous              ? *s.previous
         : need.trust == Trust::grid ? s.on_grid(dtype == DType::f8e8m0 ? DType::f32 : dtype, shape)
                                     : s.loaded(dtype, shape);
    out = in;
    out.trust = std::max(in.trust, Trust::equal);
    out.range.reset();
    sample.op = op;
    if (reads_previous) sample.previous = isa::row_of(op)->written_count();
  }
  Sample of(machine::ProgramBuilder::Fields fields) {
    if (in.trust != Trust::close) widen(out);
    sample.operands = {out, in};
    sample.fields = std::move(fields);
    return std::move(sample);
  }
  [[nodiscard]] size_t rank() const { return in.shape.size(); }
  /// The first axis is a batch, unless the instruction works along it.
  void batch(bool is_free) {
    if (is_free && rank() > 1) sample.batched = {0, 1};
  }

  Tile in, out;
  Sample sample;
};

Sample draw_map(Source& s) {
  Sample sample{Opcode::map, {}, {}};
  const bool reads_previous = s.previous && s.previous->shape.size() <= 5;
  const Shape shape = reads_previous ? s.previous->shape : s.shape(1, 5);
  std::vector<Tile> streams;
  if (reads_previous) streams.push_back(*s.previous), sample.previous = 1;
  for (int64_t more = s.random.one_in(6) ? s.of(0, 7) : s.of(reads_previous ? 0 : 1, 2); more > 0; --more)
    streams.push_back(broadcast(s, s.any_type(), shape));
  const bool close = reads_previous && s.previous->trust == Trust::close;
  Tile out{close ? s.previous->dtype : s.any_type(), shape};
  sample.fields = {{"chain", draw_chain(s, streams, out)}};
  widen(out);
  sample.operands = {out};
  sample.batched = {0};
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].shape[0] == shape[0]) sample.batched.push_back(i + 1);
    sample.operands.emplace_back(streams[i]);
  }
  return sample;
}

int64_t reduced(const Shape& from, uint64_t axes, Shape& to) {
  int64_t terms = 1;
  for (size_t i = 0; i < from.size(); ++i)
    if ((axes >> i & 1) != 0) terms *= std::exchange(to[i], 1);
  return terms;
}

Sample draw_reduce(Source& s) {
  enum Kind : int64_t { sum, mean, max, min, prod, sum_square, l1, l2, log_sum, log_sum_exp };
  const int64_t kind = s.of(0, 9);
  const bool is_log = kind == log_sum || kind == log_sum_exp;
  Draft d(Opcode::reduce, s,
          {.floats = is_log, .trust = is_log ? Trust::grid : Trust::equal, .most = is_log ? 4.0 : 1e30});
  const auto axes = static_cast<uint64_t>(s.of(1, (1 << d.rank()) - 1));
  const auto terms = static_cast<double>(reduced(d.in.shape, axes, d.out.shape));
  const bool selects = kind == max || kind == min;
  const bool sums = kind == sum || kind == sum_square || kind == l1;
  const bool exact = !is_float(d.in.dtype) || selects || (sums && d.in.trust == Trust::grid);
  d.out.trust = exact ? Trust::equal : Trust::close;
  const double most = std::max(1.0, d.in.most);
  d.out.most = is_log ? 16 : kind == prod ? std::pow(most, terms) : terms * (kind == sum_square ? most * most : most);
  if (!exact)
    d.out.dtype = s.random.pick({DType::f32, DType::f32, d.in.dtype});
  else if (!is_float(d.in.dtype) && s.random.one_in(2))
    d.out.dtype = s.random.pick({DType::i64, DType::i32});
  d.batch((axes & 1) == 0);
  return d.of({{"kind", kind}, {"axes", axes}});
}

Sample draw_arg_reduce(Source& s) {
  Draft d(Opcode::arg_reduce, s, {});
  const auto axis = s.random.below(d.rank());
  d.out = {s.random.pick({DType::i64, DType::i32}), d.in.shape, Trust::equal, 64};
  d.out.shape[axis] = 1;
  d.batch(axis != 0);
  return d.of({{"kind", s.of(0, 1)}, {"axis", axis}, {"last", s.of(0, 1)}});
}

Sample draw_softmax(Source& s) {
  Draft d(Opcode::softmax, s, {.floats = true, .most = 64});
  d.out.trust = Trust::close;
  d.out.most = 2 * d.in.most + 8;  // Of the logarithm; the difference to the largest is an argument of exp.
  d.batch(true);
  return d.of({{"log", s.of(0, 1)}});
}

Sample draw_norm(Source& s) {
  Draft d(Opcode::norm, s, {.floats = true, .most = 16});
  const int64_t dims = s.of(1, static_cast<int64_t>(d.rank()));
  d.out.trust = Trust::close;
  d.out.most = 64 * d.in.most;  // The least deviation that is divided by is sqrt(epsilon) = 1/16.
  Sample sample = d.of({{"kind", s.of(0, 1)}, {"dims", dims}, {"epsilon", std::bit_cast<uint32_t>(1.0f / 256)}});
  const Shape vector(d.in.shape.end() - dims, d.in.shape.end());
  sample.operands.resize(4);
  for (const size_t given : {2, 3})
    if (s.random.one_in(2)) sample.operands[given] = s.on_grid(s.float_type(), vector);
  return sample;
}

Sample draw_pool(Source& s) {
  enum Kind : int64_t { max, mean, sum };
  const int64_t kind = s.of(0, 2);
  machine::ProgramBuilder::Fields fields{{"kind", kind}, {"count_pad", s.of(0, 1)}};
  Shape in{s.of(1, 2)}, out = in;
  int64_t taps = 1;
  static constexpr std::array<std::array<const char*, 5>, 3> names{
      {{"kernel_d", "stride_d", "dilation_d", "pad_front", "pad_back"},
       {"kernel_h", "stride_h", "dilation_h", "pad_top", "pad_bottom"},
       {"kernel_w", "stride_w", "dilation_w", "pad_left", "pad_right"}}};
  for (const auto& name : names) {
    const bool flat = &name == names.data() && !s.random.one_in(4);
    const int64_t kernel = flat ? 1 : s.of(1, 3), stride = s.of(1, 2), dilation = s.of(1, 2);
    const int64_t reach = dilation * (kernel - 1) + 1, before = s.of(0, kernel - 1), after = s.of(0, kernel - 1);
    const int64_t input = std::max<int64_t>(flat ? 1 : s.of(1, 6), reach - before - after);
    in.push_back(input);
    out.push_back((input + before + after - reach) / stride + 1);
    taps *= kernel;
    const std::array<int64_t, 5> values{kernel, stride, dilation, before, after};
    for (size_t i = 0; i < 5; ++i) fields.emplace_back(name[i], values[i]);
  }
  in.push_back(s.of(1, 4));
  out.push_back(in.back());
  const DType dtype = s.any_type();
  Tile from = kind == max ? s.loaded(dtype, in) : s.on_grid(dtype == DType::f8e8m0 ? DType::f32 : dtype, in);
  Tile to{from.dtype, out, Trust::equal, from.most * static_cast<double>(taps)};
  if (kind == mean && is_float(dtype)) to.trust = Trust::close;
  return {Opcode::pool, {to, from}, fields, {}, {0, 1}};
}

Sample draw_resample(Source& s) {
  Draft d(Opcode::resample, s, {.trust = Trust::grid});
  const auto axis = s.random.below(d.rank());
  const int64_t outputs = s.of(1, 6), start = s.of(0, 2), base = s.of(-2, 2), inputs = d.in.shape[axis];
  isa::ResampleTable table{
      fmt::format("table{}", s.builder.program.tables.size()), static_cast<uint32_t>(s.of(1, 3)), {}, {}};
  for (int64_t i = (start + outputs + s.of(0, 1)) * table.taps; i > 0; --i) {
    table.indices.push_back(static_cast<int32_t>(base + s.of(0, inputs - 1)));
    table.weights.push_back(static_cast<float>(s.of(-4, 4)) / 4);
  }
  s.builder.program.tables.push_back(table);
  d.out.shape[axis] = outputs;
  d.out.most = 3 * d.in.most;
  d.batch(axis != 0);
  return d.of({{"axis", axis}, {"table", s.builder.program.tables.size() - 1}, {"start", start}, {"base", base}});
}

Sample draw_transpose(Source& s) {
  Draft d(Opcode::transpose, s, {.trust = Trust::close, .most_rank = 5});
  std::vector<size_t> order(d.rank());
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[s.random.below(i)]);
  static constexpr std::array names{"order_0", "order_1", "order_2", "order_3", "order_4"};
  machine::ProgramBuilder::Fields fields;
  for (size_t i = 0; i < order.size(); ++i) {
    d.out.shape[i] = d.in.shape[order[i]];
    fields.emplace_back(names[i], order[i]);
  }
  d.batch(order[0] == 0);
  return d.of(fields);
}

Sample draw_topk(Source& s) {
  Draft d(Opcode::topk, s, {});
  d.out.shape.back() = s.of(1, d.in.shape.back());
  Tile indices{s.random.pick({DType::i64, DType::i32}), d.out.shape, Trust::equal, 64};
  Sample sample = d.of({{"largest", s.of(0, 1)}, {"sorted", s.of(0, 1)}});
  sample.operands = {d.out, indices, d.in};
  if (d.rank() > 1) sample.batched = {0, 1, 2};
  return sample;
}

Sample draw_scan(Source& s) {
  Draft d(Opcode::scan, s, {});
  d.out.most = d.in.most * static_cast<double>(d.in.shape.back());
  if (is_float(d.in.dtype) && d.in.trust != Trust::grid) d.out.trust = Trust::close;
  d.batch(true);
  return d.of({{"exclusive", s.of(0, 1)}, {"reverse", s.of(0, 1)}});
}

Sample draw_select_along(Source& s) {
  Draft d(Opcode::select_along, s, {.trust = Trust::close});
  const auto axis = s.random.below(d.rank());
  for (size_t i = 0; i < d.rank(); ++i) d.out.shape[i] = i == axis ? s.of(1, 6) : s.of(1, d.in.shape[i]);
  Sample sample = d.of({{"axis", axis}});
  sample.operands.emplace_back(s.index(d.out.shape, d.in.shape[axis]));
  return sample;
}

Sample draw_sort(Source& s) {
  Shape shape = s.shape(1, 3);
  const auto axis = s.random.below(shape.size());
  const int64_t steps = s.of(1, 4);
  shape[axis] = int64_t{1} << steps;
  const Tile in = s.loaded(s.any_type(), shape);
  Sample sample{
      Opcode::sort, {in, in}, {{"axis", axis}, {"run", int64_t{1} << s.of(0, steps - 1)}, {"descending", s.of(0, 1)}}};
  sample.operands[0]->range.reset();
  sample.operands[0]->trust = Trust::equal;
  if (axis != 0) sample.batched = {0, 1};
  return sample;
}

Sample draw_sort_pairs(Source& s) {
  Sample sample = draw_sort(s);
  sample.op = Opcode::sort_pairs;
  sample.fields.emplace_back("lower_above", s.of(0, 1));
  const Tile in = *sample.operands[1], out = *sample.operands[0];
  const DType number = s.random.pick({DType::i32, DType::i64});
  constexpr int64_t most = 1 << 20;
  const Tile numbers{number, in.shape, Trust::equal, most};
  std::optional<Tile> from;
  if (s.random.one_in(2)) from = numbers, from->range = {-most, most};
  sample.operands = {out, numbers, in, from};
  if (!sample.batched.empty()) sample.batched = from ? std::vector<size_t>{0, 1, 2, 3} : std::vector<size_t>{0, 1, 2};
  return sample;
}

}  // namespace

std::optional<Sample> draw_vector(Opcode op, Source& source) {
  switch (op) {
    case Opcode::map:
      return draw_map(source);
    case Opcode::reduce:
      return draw_reduce(source);
    case Opcode::arg_reduce:
      return draw_arg_reduce(source);
    case Opcode::softmax:
      return draw_softmax(source);
    case Opcode::norm:
      return draw_norm(source);
    case Opcode::pool:
      return draw_pool(source);
    case Opcode::resample:
      return draw_resample(source);
    case Opcode::transpose:
      return draw_transpose(source);
    case Opcode::topk:
      return draw_topk(source);
    case Opcode::scan:
      return draw_scan(source);
    case Opcode::select_along:
      return draw_select_along(source);
    case Opcode::sort:
      return draw_sort(source);
    case Opcode::sort_pairs:
      return draw_sort_pairs(source);
    default:
      return std::nullopt;
  }
}

}  // namespace hadal::fuzz
