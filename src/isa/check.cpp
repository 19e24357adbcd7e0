#include "isa/check.h"

#include <algorithm>

#include "isa/check_shapes.h"
#include "isa/fields.h"

namespace hadal::isa {

namespace {

constexpr uint64_t most_elements = uint64_t{1} << 32;

Status check_buffer(Checked& c, size_t operand, const View& view, const TensorDescriptor& tensor) {
  const Box& box = c.boxes[operand];
  const uint64_t room = view.slots > 1 ? view.slot_bytes : tensor.bytes;
  const auto size = static_cast<uint64_t>(bytes_of(tensor.dtype));
  uint64_t bytes = size;
  for (size_t i = 0; i < box.rank && bytes <= room; ++i) bytes *= static_cast<uint64_t>(box.extents[i]);
  c.elements[operand] = bytes / size;
  if (bytes <= room) return {};
  return c.fail(view.slots > 1 ? "ring.C1" : "view.C1",
                fmt::format("{} of {} takes more than the {} bytes of its {}", c.shown(operand), printable(tensor.name),
                            room, view.slots > 1 ? "slot" : "buffer"));
}

/// With `fill`, coordinates outside are legal as long as their addresses are numbers.
bool in_range(int64_t coordinate, int64_t stride) {
  constexpr __int128 limit = __int128{1} << 59;
  const __int128 address = static_cast<__int128>(coordinate) * stride;
  return coordinate > -(int64_t{1} << 40) && coordinate < (int64_t{1} << 40) && address > -limit && address < limit;
}

Status check_memory(Checked& c, size_t operand, const TensorDescriptor& tensor, bool fill) {
  const Box& box = c.boxes[operand];
  uint64_t elements = 1;
  for (size_t i = 0; i < box.rank; ++i) {
    const int64_t origin = box.origins[i], extent = box.extents[i];
    const bool legal = fill ? in_range(origin, box.strides[i]) && in_range(origin + extent, box.strides[i])
                            : origin >= 0 && origin <= static_cast<int64_t>(tensor.extents[i]) - extent;
    if (!legal)
      return c.fail("view.C1",
                    fmt::format("`{}` covers {} to {} of axis {} of {}, whose extent is {}",
                                row_of(c.in.op)->operands[operand].name, origin,
                                static_cast<__int128>(origin) + extent > INT64_MAX ? INT64_MAX : origin + extent, i,
                                printable(tensor.name), tensor.extents[i]));
    elements *= static_cast<uint64_t>(extent);
    if (elements > most_elements) return c.fail("view.C1", c.shown(operand) + " has more than 2^32 elements");
  }
  c.elements[operand] = elements;
  return {};
}

bool same_box(const Box& a, const Box& b) {
  return a.offset == b.offset && a.rank == b.rank && a.extents == b.extents && bytes_of(a.dtype) == bytes_of(b.dtype);
}

Status check_alias(const Checked& c, size_t written) {
  const Box& out = c.boxes[written];
  if (out.space != Space::scratchpad) return {};
  const auto end = [&](size_t i) {
    return c.boxes[i].offset + static_cast<int64_t>(c.elements[i]) * bytes_of(c.boxes[i].dtype);
  };
  for (size_t i = 0; i < c.boxes.size(); ++i) {
    const Box& other = c.boxes[i];
    if (i == written || !c.given(i) || other.space != Space::scratchpad) continue;
    if (out.offset >= end(i) || other.offset >= end(written)) continue;
    if (written != 0 || !row_of(c.in.op)->operands[i].in_place || !same_box(out, other))
      return c.fail("alias.C1", fmt::format("{} overlaps {}, at bytes {} and {} of the scratchpad", c.shown(written),
                                            c.shown(i), out.offset, other.offset));
  }
  return {};
}

Status check_copy(const Checked& c) {
  if (c.elements[0] == c.elements[1]) return {};
  return c.fail("dma.C1",
                fmt::format("{} and {} have {} and {} elements", c.shown(0), c.shown(1), c.elements[0], c.elements[1]));
}

Status check_gather(const Checked& c) {
  const Box &to = c.boxes[0], &from = c.boxes[1], &index = c.boxes[2];
  bool legal = from.rank >= 1 && to.rank == index.rank + from.rank - 1;
  for (size_t i = 0; legal && i < to.rank; ++i)
    legal = to.extents[i] == (i < index.rank ? index.extents[i] : from.extents[i - index.rank + 1]);
  if (legal) return {};
  return c.fail("gather.C1", fmt::format("{} is not {} by the rows of {}", c.shown(0), c.shown(2), c.shown(1)));
}

Status check_scatter(const Checked& c) {
  const Box &to = c.boxes[0], &from = c.boxes[1], &index = c.boxes[2];
  const int64_t axis = c.in.fields[at::scatter_axis].value;
  bool legal = to.rank == from.rank && to.rank == index.rank && axis < to.rank;
  for (size_t i = 0; legal && i < to.rank; ++i) {
    const bool along = static_cast<int64_t>(i) == axis, one = index.extents[i] == 1 && !along;
    legal = (along || to.extents[i] == from.extents[i]) && (one || index.extents[i] == from.extents[i]);
  }
  if (legal) return {};
  return c.fail("scatter.C1", fmt::format("{} does not take {} where {} says along axis {}", c.shown(0), c.shown(1),
                                          c.shown(2), axis));
}

}  // namespace

std::string Checked::shown(size_t operand) const {
  const Box& box = boxes[operand];
  return fmt::format("`{}` [{}]", row_of(in.op)->operands[operand].name,
                     fmt::join(box.extents.begin(), box.extents.begin() + box.rank, ", "));
}

Status check_window(const Checked& c, const char* rule, size_t in, size_t axis, const Window& window) {
  const int64_t found = c.boxes[0].extents[1 + axis], want = window.outputs(c.boxes[in].extents[1 + axis]);
  if (found == want) return {};
  return c.fail(
      rule,
      fmt::format("{} has {} outputs along axis {}; {} with window {}, stride {}, dilation {}, pads {} and {} makes {}",
                  c.shown(0), found, 1 + axis, c.shown(in), window.kernel, window.stride, window.dilation,
                  window.before, window.after, std::max<int64_t>(want, 0)));
}

Status check_broadcast(const Checked& c, const char* rule, size_t operand) {
  const Box &out = c.boxes[0], &in = c.boxes[operand];
  bool legal = in.rank == out.rank;
  for (size_t i = 0; legal && i < out.rank; ++i) legal = in.extents[i] == out.extents[i] || in.extents[i] == 1;
  if (legal) return {};
  return c.fail(rule, fmt::format("the extents of {} are neither those of {} nor 1", c.shown(operand), c.shown(0)));
}

std::string place_of(const Program& program, size_t instruction) {
  std::string place = fmt::format("instruction {}", instruction);
  if (instruction < program.source.size() && program.source[instruction] < program.layers.size())
    place += " of " + printable(program.layers[program.source[instruction]].name);
  if (instruction < program.lines.size() && !program.lines[instruction].empty())
    place += ", " + printable(program.lines[instruction]);
  return place;
}

void resolve(const Sequencer& sequencer, const Instruction& in, Boxes& boxes) {
  boxes.count = in.operands.size();
  boxes.idle = false;
  for (size_t i = 0; i < boxes.count; ++i) {
    if (in.operands[i] == no_view) continue;
    boxes.box[i] = sequencer.box(in.operands[i]);
    boxes.idle |= boxes.box[i].empty;
  }
}

Status check(const Program& program, const Sequencer& sequencer, const Instruction& in, std::span<const Box> boxes) {
  Checked c{program, sequencer, in, boxes, {}};
  for (size_t i = 0; i < boxes.size(); ++i)
    if (c.given(i) && boxes[i].empty) return {};
  const bool fill = in.op == Opcode::load && in.fields[at::load_fill].value != 0;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!c.given(i)) continue;
    const View& view = program.views[in.operands[i]];
    const TensorDescriptor& tensor = program.tensors[view.tensor];
    HADAL_CHECK(tensor.rank == 0 ? check_buffer(c, i, view, tensor) : check_memory(c, i, tensor, fill && i == 1));
  }
  switch (in.op) {
    case Opcode::load:
    case Opcode::store:
      return check_copy(c);
    case Opcode::gather:
      HADAL_CHECK(check_gather(c));
      return check_alias(c, 0);
    case Opcode::scatter:
      return check_scatter(c);
    case Opcode::matmul:
    case Opcode::conv:
    case Opcode::conv_depthwise:
    case Opcode::conv_transpose:
    case Opcode::matmul_scaled:
      HADAL_CHECK(check_matrix(c));
      return c.number(at::emit) != 0 ? check_alias(c, at::out) : Status();
    case Opcode::sync:
    case Opcode::host_call:
      return {};
    default:
      HADAL_CHECK(check_vector(c));
      for (size_t i = 0; i < row_of(in.op)->written_count(); ++i) HADAL_CHECK(check_alias(c, i));
      return {};
  }
}

}  // namespace hadal::isa
