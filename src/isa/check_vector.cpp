#include <algorithm>
#include <bit>

#include "isa/check_shapes.h"
#include "isa/fields.h"

namespace hadal::isa {

namespace {

/// Same rank and extents, but along `axis` (-1: none) those of `out` are `extent`.
bool same_but(const Box& out, const Box& in, int64_t axis, int64_t extent) {
  if (out.rank != in.rank || axis >= in.rank) return false;
  for (int64_t i = 0; i < in.rank; ++i) {
    const auto at = static_cast<size_t>(i);
    if (out.extents[at] != (i == axis ? extent : in.extents[at])) return false;
  }
  return true;
}

Error mismatch(const Checked& c, const char* rule, std::string_view why) {
  return c.fail(rule, fmt::format("{} of {}: {}", c.shown(0), c.shown(1), why));
}

Status check_reduce(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1];
  const int64_t axes = c.in.fields[at::reduce_axes].value;
  bool legal = out.rank == in.rank && axes >> in.rank == 0;
  for (size_t i = 0; legal && i < in.rank; ++i) legal = out.extents[i] == ((axes >> i & 1) != 0 ? 1 : in.extents[i]);
  if (legal) return {};
  return mismatch(c, "reduce.C1", fmt::format("not its extents with 1 along the axes of {:#b}", axes));
}

Status check_norm(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1];
  const int64_t dims = c.in.fields[at::norm_dims].value;
  if (dims > in.rank || !same_but(out, in, -1, 0))
    return mismatch(c, "norm.C1", "not its extents, or fewer axes than `dims`");
  for (size_t operand = 2; operand <= 3; ++operand) {
    if (!c.given(operand)) continue;
    const Box& vector = c.boxes[operand];
    bool legal = vector.rank >= dims;
    for (int64_t i = 0; legal && i < vector.rank; ++i) {
      const int64_t from_end = vector.rank - i;
      legal = vector.extents[static_cast<size_t>(i)] ==
              (from_end <= dims ? in.extents[static_cast<size_t>(in.rank - from_end)] : 1);
    }
    if (!legal)
      return c.fail("norm.C1",
                    fmt::format("{} does not have the last {} extents of {}", c.shown(operand), dims, c.shown(1)));
  }
  return {};
}

Status check_pool(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1];
  if (out.rank != 5 || in.rank != 5 || out.extents[0] != in.extents[0] || out.extents[4] != in.extents[4])
    return mismatch(c, "pool.C1", "not both of rank 5, with the same batch and channels");
  const auto& fields = c.in.fields;
  for (size_t axis = 0; axis < 3; ++axis) {
    const Window window{fields[at::kernel_d + axis].value, fields[at::pool_stride_d + axis].value,
                        fields[at::pool_dilation_d + axis].value, c.number(at::pool_front + axis),
                        c.number(at::pool_back + axis)};
    constexpr int64_t widest = int64_t{1} << 31;
    if (window.before < 0 || window.after < 0 || window.before > widest || window.after > widest)
      return c.fail("pool.C1",
                    fmt::format("pads {} and {} of axis {} are out of range", window.before, window.after, 1 + axis));
    HADAL_CHECK(check_window(c, "pool.C1", 1, axis, window));
  }
  return {};
}

Status check_resample(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1];
  const int64_t axis = c.in.fields[at::resample_axis].value, start = c.number(at::resample_start);
  const int64_t base = c.number(at::resample_base);
  if (out.rank != in.rank || axis >= in.rank || !same_but(out, in, axis, out.extents[static_cast<size_t>(axis)]))
    return mismatch(c, "resample.C1", "they differ in more than the axis");
  const ResampleTable& table = c.program.tables[static_cast<size_t>(c.in.fields[at::resample_table].value)];
  const int64_t inputs = in.extents[static_cast<size_t>(axis)], outputs = out.extents[static_cast<size_t>(axis)];
  const auto taps = static_cast<int64_t>(table.taps), rows = static_cast<int64_t>(table.indices.size()) / taps;
  if (start < 0 || start > rows - outputs)
    return mismatch(c, "resample.C1", fmt::format("rows {} and following of a table of {} rows", start, rows));
  const auto first = table.indices.begin() + start * taps;
  if (std::all_of(first, first + outputs * taps, [&](int32_t i) { return i >= base && i - base < inputs; })) return {};
  return mismatch(c, "resample.C1", "the table names an index outside the input");
}

Status check_transpose(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1];
  unsigned seen = 0;
  bool legal = out.rank == in.rank;
  for (size_t i = 0; legal && i < in.rank; ++i) {
    const int64_t from = c.in.fields[at::order_0 + i].value;
    legal = from < in.rank && out.extents[i] == in.extents[static_cast<size_t>(from)];
    if (legal) seen |= 1u << from;
  }
  if (legal && seen == (1u << in.rank) - 1) return {};
  return mismatch(c, "transpose.C1", "not a permutation of its axes");
}

Status check_topk(const Checked& c) {
  const Box &values = c.boxes[0], &indices = c.boxes[1], &in = c.boxes[2];
  const bool legal = in.rank >= 1 && values.rank == in.rank && same_but(indices, values, -1, 0) &&
                     same_but(values, in, in.rank - 1, values.extents[static_cast<size_t>(in.rank) - 1]) &&
                     values.extents[static_cast<size_t>(in.rank) - 1] <= in.extents[static_cast<size_t>(in.rank) - 1];
  if (legal) return {};
  return c.fail("topk.C1",
                fmt::format("{} and {} are not the first of the last axis of {}", c.shown(0), c.shown(1), c.shown(2)));
}

Status check_select(const Checked& c) {
  const Box &out = c.boxes[0], &in = c.boxes[1], &index = c.boxes[2];
  const int64_t axis = c.in.fields[at::select_axis].value;
  bool legal = in.rank == out.rank && axis < in.rank && same_but(out, index, -1, 0);
  for (int64_t i = 0; legal && i < in.rank; ++i)
    legal = i == axis || index.extents[static_cast<size_t>(i)] <= in.extents[static_cast<size_t>(i)];
  if (legal) return {};
  return c.fail("select_along.C1",
                fmt::format("{} is not {} looked up in {} along axis {}", c.shown(0), c.shown(2), c.shown(1), axis));
}

/// `others` have the extents of the first.
Status check_sort(const Checked& c, const char* rule, std::initializer_list<size_t> others) {
  const Box& out = c.boxes[0];
  const int64_t axis = c.in.fields[at::sort_axis].value, run = c.in.fields[at::sort_run].value;
  for (const size_t other : others)
    if (axis >= out.rank || !same_but(out, c.boxes[other], -1, 0))
      return mismatch(c, rule, "the extents differ, or lack the axis");
  const int64_t length = out.extents[static_cast<size_t>(axis)];
  if (std::has_single_bit(static_cast<uint64_t>(length)) && run < length) return {};
  return mismatch(c, rule, fmt::format("{} along axis {} is no power of two above the run of {}", length, axis, run));
}

Status check_same(const Checked& c, const char* rule) {
  if (same_but(c.boxes[0], c.boxes[1], -1, 0) && c.boxes[1].rank >= 1) return {};
  return mismatch(c, rule, "the extents differ");
}

}  // namespace

Status check_vector(const Checked& c) {
  switch (c.in.op) {
    case Opcode::map:
      for (size_t i = at::map_in; i < c.boxes.size(); ++i)
        if (c.given(i)) HADAL_CHECK(check_broadcast(c, "map.C1", i));
      return {};
    case Opcode::reduce:
      return check_reduce(c);
    case Opcode::arg_reduce:
      if (same_but(c.boxes[0], c.boxes[1], c.in.fields[at::arg_axis].value, 1)) return {};
      return mismatch(c, "reduce.C1", "not its extents with 1 along the axis");
    case Opcode::softmax:
      return check_same(c, "softmax.C1");
    case Opcode::norm:
      return check_norm(c);
    case Opcode::pool:
      return check_pool(c);
    case Opcode::resample:
      return check_resample(c);
    case Opcode::transpose:
      return check_transpose(c);
    case Opcode::topk:
      return check_topk(c);
    case Opcode::scan:
      return check_same(c, "scan.C1");
    case Opcode::select_along:
      return check_select(c);
    case Opcode::sort:
      return check_sort(c, "sort.C1", {1});
    case Opcode::sort_pairs:
      if (c.in.operands[3] == no_view) return check_sort(c, "sort_pairs.C1", {1, 2});
      return check_sort(c, "sort_pairs.C1", {1, 2, 3});
    default:
      return {};
  }
}

}  // namespace hadal::isa
