// load, store, gather; and transpose, which copies in the scratchpad as they do.
#include <algorithm>
#include <cstring>

#include "isa/fields.h"
#include "machine/functional/convert.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"

namespace hadal::machine {

namespace {

void copy(const Call& call, int rank, const Dims& extents, const Strided& to, const Strided& from) {
  call.options.exact ? copy_box_plainly(rank, extents, to, from) : copy_box(rank, extents, to, from);
}

/// The part of a box that lies in its tensor: begin and end along each axis, counted from the box's origin.
struct Inside {
  Dims begin{}, end{};
  bool whole = true, nothing = false;
};

Inside inside(const isa::Box& box, const isa::TensorDescriptor& tensor) {
  Inside part;
  for (size_t i = 0; i < box.rank; ++i) {
    const int64_t extent = i < tensor.rank ? tensor.extents[i] : box.extents[i];
    part.begin[i] = std::clamp<int64_t>(-box.origins[i], 0, box.extents[i]);
    part.end[i] = std::clamp<int64_t>(extent - box.origins[i], part.begin[i], box.extents[i]);
    part.whole &= part.begin[i] == 0 && part.end[i] == box.extents[i];
    part.nothing |= part.begin[i] == part.end[i];
  }
  return part;
}

/// Fills what lies outside: for each axis the slabs before and behind, within the part along the axes before it.
void fill_outside(const Operand& to, const Operand& from, const Dims& strides, const Inside& part, float value) {
  std::array<std::byte, 8> element{};
  put<float>(to.dtype(), element.data(), value);
  Dims extents = from.extents();
  std::byte* corner = to.data;
  for (size_t axis = 0; axis < static_cast<size_t>(from.rank()); ++axis) {
    const int64_t whole = extents[axis];
    extents[axis] = part.begin[axis];
    fill_box(from.rank(), extents, strides, corner, element.data(), to.element_bytes());
    extents[axis] = whole - part.end[axis];
    fill_box(from.rank(), extents, strides, corner + part.end[axis] * strides[axis], element.data(),
             to.element_bytes());
    extents[axis] = part.end[axis] - part.begin[axis];
    corner += part.begin[axis] * strides[axis];
  }
}

}  // namespace

Status load(Call& call) {
  const Operand &to = call[0], &from = call[1];
  const Dims strides = dense_strides(from.rank(), from.extents(), to.element_bytes());
  const Inside part =
      call.flag(isa::at::load_fill) ? inside(*from.box, call.program.tensors[from.box->tensor]) : Inside{};
  if (part.whole) {
    copy(call, from.rank(), from.extents(), {to.data, to.dtype(), strides},
         {from.data, from.dtype(), from.box->strides});
    return {};
  }
  fill_outside(to, from, strides, part, call.real(isa::at::load_value));
  if (part.nothing) return {};
  Dims extents{};
  int64_t to_shift = 0, from_shift = 0;
  for (size_t i = 0; i < static_cast<size_t>(from.rank()); ++i) {
    extents[i] = part.end[i] - part.begin[i];
    to_shift += part.begin[i] * strides[i];
    from_shift += part.begin[i] * from.box->strides[i];
  }
  copy(call, from.rank(), extents, {to.data + to_shift, to.dtype(), strides},
       {from.data + from_shift, from.dtype(), from.box->strides});
  return {};
}

Status store(Call& call) {
  const Operand &to = call[0], &from = call[1];
  const Dims strides = dense_strides(to.rank(), to.extents(), from.element_bytes());
  copy(call, to.rank(), to.extents(), {to.data, to.dtype(), to.box->strides}, {from.data, from.dtype(), strides});
  return {};
}

Status gather(Call& call) {
  const Operand &to = call[0], &from = call[1], &index = call[2];
  const bool clamp = call.in.fields[isa::at::gather_bounds].value != 0;
  const int64_t rows = from.extent(0);
  const int rank = from.rank() - 1;
  Dims extents{}, from_strides{};
  for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
    extents[i] = from.extent(1 + i);
    from_strides[i] = from.box->strides[1 + i];
  }
  const Dims to_strides = dense_strides(rank, extents, to.element_bytes());
  const bool run = is_dense(rank, extents, from_strides, from.element_bytes());
  const auto length = static_cast<size_t>(from.elements() / rows);
  std::byte* at = to.data;
  for (int64_t i = 0; i < index.elements(); ++i, at += length * static_cast<size_t>(to.element_bytes())) {
    const auto stated = get<int64_t>(index.dtype(), index.data + i * index.element_bytes());
    int64_t row = stated < 0 ? stated + rows : stated;
    if (row < 0 || row >= rows) {
      if (!clamp)
        return call.fail("gather.C2",
                         fmt::format("index {} of element {} is outside a table of {} rows", stated, i, rows));
      row = std::clamp<int64_t>(row, 0, rows - 1);
    }
    std::byte* source = from.data + row * from.box->strides[0];
    if (run)
      convert_run(from.dtype(), source, to.dtype(), at, length);
    else
      copy(call, rank, extents, {at, to.dtype(), to_strides}, {source, from.dtype(), from_strides});
  }
  return {};
}

Status transpose(Call& call) {
  const Operand &out = call[0], &in = call[1];
  Dims strides{};
  for (size_t i = 0; i < static_cast<size_t>(out.rank()); ++i)
    strides[i] = in.box->strides[static_cast<size_t>(call.number(isa::at::order_0 + i))];
  copy(call, out.rank(), out.extents(), {out.data, out.dtype(), out.box->strides}, {in.data, in.dtype(), strides});
  return {};
}

}  // namespace hadal::machine
