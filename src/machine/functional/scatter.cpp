// scatter: no arithmetic to vectorise, so one form serves both ways of running.
#include <algorithm>
#include <cstring>

#include "isa/fields.h"
#include "machine/functional/kernels.h"
#include "machine/functional/numbers.h"

namespace hadal::machine {

namespace {

enum class Combine : uint8_t { set, add, mul, min, max };

template <class T>
T combined(Combine combine, T old, T update) {
  using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  const auto a = static_cast<Wrapping>(old), b = static_cast<Wrapping>(update);
  switch (combine) {
    case Combine::set:
      return update;
    case Combine::add:
      return static_cast<T>(a + b);
    case Combine::mul:
      return static_cast<T>(a * b);
    case Combine::min:
      return std::min(old, update);
    case Combine::max:
      return std::max(old, update);
  }
  return update;
}

template <class T>
void combine_into(Combine combine, DType dtype, std::byte* to, const std::byte* from) {
  put<T>(dtype, to, combined(combine, get<T>(dtype, to), get<T>(dtype, from)));
}

void combine_element(Combine combine, DType dtype, std::byte* to, const std::byte* from) {
  if (combine == Combine::set) {
    std::memcpy(to, from, static_cast<size_t>(bytes_of(dtype)));
    return;
  }
  switch (compute_of(dtype)) {
    case Compute::f32:
      return combine_into<float>(combine, dtype, to, from);
    case Compute::f64:
      return combine_into<double>(combine, dtype, to, from);
    case Compute::i64:
      return combine_into<int64_t>(combine, dtype, to, from);
  }
}

/// Strides over the updates: 0 where an index serves all.
Dims index_strides(const Operand& index) {
  Dims strides = dense_strides(index.rank(), index.extents(), index.element_bytes());
  for (size_t i = 0; i < static_cast<size_t>(index.rank()); ++i)
    if (index.extent(i) == 1) strides[i] = 0;
  return strides;
}

}  // namespace

Status scatter(Call& call) {
  const Operand &to = call[0], &from = call[1], &index = call[2];
  const auto axis = static_cast<size_t>(call.number(isa::at::scatter_axis)), rank = static_cast<size_t>(from.rank());
  const auto combine = static_cast<Combine>(call.number(isa::at::scatter_combine));
  const int64_t length = to.extent(axis);
  const Dims strides = index_strides(index);
  Dims at{};
  for (int64_t i = 0; i < from.elements(); ++i) {
    int64_t to_shift = 0, index_shift = 0;
    for (size_t d = 0; d < rank; ++d) {
      index_shift += at[d] * strides[d];
      if (d != axis) to_shift += at[d] * to.box->strides[d];
    }
    const auto stated = get<int64_t>(index.dtype(), index.data + index_shift);
    const int64_t place = stated < 0 ? stated + length : stated;
    if (place < 0 || place >= length)
      return call.fail("scatter.C2", fmt::format("index {} of update {} is outside an axis of {}", stated, i, length));
    combine_element(combine, to.dtype(), to.data + to_shift + place * to.box->strides[axis],
                    from.data + i * from.element_bytes());
    for (size_t d = rank; d-- > 0 && ++at[d] == from.extent(d);) at[d] = 0;
  }
  return {};
}

}  // namespace hadal::machine
