#include "isa/check_shapes.h"
#include "isa/fields.h"

namespace hadal::isa {

namespace {

Status check_accumulator(const Checked& c) {
  const int64_t offset = c.number(at::accumulator);
  const uint64_t bytes = c.elements[at::out] * 4, room = c.program.limits.accumulator_bytes;
  if (offset >= 0 && offset % 4 == 0 && bytes <= room && static_cast<uint64_t>(offset) <= room - bytes) return {};
  return c.fail("matmul.C3", fmt::format("{} bytes of sums of {} at byte {} do not fit the accumulator of {} bytes",
                                         bytes, c.shown(at::out), offset, room));
}

Status check_matmul(const Checked& c) {
  const Box &out = c.boxes[at::out], &a = c.boxes[at::a], &b = c.boxes[at::b];
  const bool ta = c.in.fields[at::transpose_a].value != 0, tb = c.in.fields[at::transpose_b].value != 0;
  const auto batch = [&](const Box& box) { return box.extents[0] == out.extents[0] || box.extents[0] == 1; };
  const bool legal = out.rank == 3 && a.rank == 3 && b.rank == 3 && batch(a) && batch(b) &&
                     a.extents[ta ? 2 : 1] == out.extents[1] && a.extents[ta ? 1 : 2] == b.extents[tb ? 2 : 1] &&
                     b.extents[tb ? 1 : 2] == out.extents[2];
  if (legal) return {};
  return c.fail("matmul.C1", fmt::format("{} is not the product of {}{} and {}{}", c.shown(at::out), c.shown(at::a),
                                         ta ? " transposed" : "", c.shown(at::b), tb ? " transposed" : ""));
}

Status check_scales(const Checked& c) {
  const Box &out = c.boxes[at::out], &a = c.boxes[at::a], &of_a = c.boxes[at::a_scale], &of_b = c.boxes[at::b_scale];
  const int64_t shift = c.number(at::shift), depth = a.extents[c.in.fields[at::transpose_a].value != 0 ? 1 : 2];
  const auto blocks = [](int64_t extent) { return (extent + scale_block - 1) / scale_block; };
  const auto batch = [&](const Box& box) { return box.extents[0] == out.extents[0] || box.extents[0] == 1; };
  const bool legal = shift >= 0 && shift < scale_block && of_a.rank == 3 && of_b.rank == 3 && batch(of_a) &&
                     batch(of_b) && of_a.extents[1] == out.extents[1] && of_a.extents[2] == blocks(depth) &&
                     of_b.extents[1] == blocks(depth) && of_b.extents[2] == blocks(shift + out.extents[2]);
  if (legal) return {};
  return c.fail("scaled.C1", fmt::format("{} and {} at column {} do not scale {} and {}", c.shown(at::a_scale),
                                         c.shown(at::b_scale), shift, c.shown(at::a), c.shown(at::b)));
}

Status check_conv_channels(const Checked& c) {
  const Box &out = c.boxes[at::out], &x = c.boxes[at::a], &w = c.boxes[at::b];
  if (out.rank != 5 || x.rank != 5 || w.rank != 5)
    return c.fail("conv.C1", fmt::format("{}, {} and {} do not all have rank 5", c.shown(at::out), c.shown(at::a),
                                         c.shown(at::b)));
  if (out.extents[0] != x.extents[0])
    return c.fail("conv.C1", fmt::format("{} and {} have different batches", c.shown(at::out), c.shown(at::a)));
  const int64_t groups = c.in.fields[at::groups].value, channels = x.extents[4], features = out.extents[4];
  const bool legal = c.in.op == Opcode::conv_depthwise
                         ? groups == 1 && w.extents[4] == channels &&
                               static_cast<uint64_t>(features) / static_cast<uint64_t>(channels) ==
                                   static_cast<uint64_t>(w.extents[3]) &&
                               features % channels == 0
                         : channels % groups == 0 && features % groups == 0 && w.extents[3] == channels / groups &&
                               w.extents[4] == features;
  if (legal) return {};
  return c.fail("conv.C2", fmt::format("the channels of {}, {} and {} do not agree in {} groups", c.shown(at::out),
                                       c.shown(at::a), c.shown(at::b), groups));
}

Window window_of(const Checked& c, size_t axis) {
  const auto& fields = c.in.fields;
  return {c.boxes[at::b].extents[axis], fields[at::stride_d + axis].value, fields[at::dilation_d + axis].value,
          c.number(at::pad_front + axis), c.number(at::pad_back + axis)};
}

Status check_conv(const Checked& c) {
  HADAL_CHECK(check_conv_channels(c));
  constexpr int64_t widest = int64_t{1} << 31;
  const bool spreads = c.in.op == Opcode::conv_transpose;
  for (size_t axis = 0; axis < 3; ++axis) {
    const Window window = window_of(c, axis);
    const int64_t least = spreads ? -widest : 0;
    if (window.before < least || window.after < least || window.before > widest || window.after > widest)
      return c.fail("conv.C1",
                    fmt::format("pads {} and {} of axis {} are out of range", window.before, window.after, 1 + axis));
    if (!spreads) {
      HADAL_CHECK(check_window(c, "conv.C1", at::a, axis, window));
      continue;
    }
    const int64_t input = c.boxes[at::a].extents[1 + axis], found = c.boxes[at::out].extents[1 + axis];
    const int64_t want =
        (input - 1) * window.stride + window.dilation * (window.kernel - 1) + 1 - window.before - window.after;
    if (found != want)
      return c.fail("conv.C1", fmt::format("{} has {} outputs along axis {}; {} spread by stride {} makes {}",
                                           c.shown(at::out), found, 1 + axis, c.shown(at::a), window.stride, want));
  }
  return {};
}

}  // namespace

Status check_matrix(const Checked& c) {
  const bool scaled = c.in.op == Opcode::matmul_scaled;
  HADAL_CHECK(c.in.op == Opcode::matmul || scaled ? check_matmul(c) : check_conv(c));
  if (scaled) HADAL_CHECK(check_scales(c));
  for (size_t e = at::epilogue_0; e <= at::epilogue_2; ++e)
    if (c.given(e)) HADAL_CHECK(check_broadcast(c, "epilogue.C1", e));
  return check_accumulator(c);
}

}  // namespace hadal::isa
