// The definition of copies: one element after the other.
#include <cstring>

#include "machine/functional/copy.h"
#include "machine/functional/numbers.h"

namespace hadal::machine {

namespace {

template <class T>
void convert(const Strided& to, std::byte* t, const Strided& from, const std::byte* f) {
  put<T>(to.dtype, t, get<T>(from.dtype, f));
}

void copy_element(const Strided& to, std::byte* t, const Strided& from, const std::byte* f) {
  if (to.dtype == from.dtype)
    std::memcpy(t, f, static_cast<size_t>(bytes_of(to.dtype)));
  else if (fits_f32(from.dtype))
    convert<float>(to, t, from, f);
  else if (from.dtype == DType::f64)
    convert<double>(to, t, from, f);
  else
    convert<int64_t>(to, t, from, f);
}

}  // namespace

void copy_box_plainly(int rank, const Dims& extents, const Strided& to, const Strided& from) {
  Dims index{};
  while (true) {
    std::byte* t = to.data;
    const std::byte* f = from.data;
    for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
      t += index[i] * to.strides[i];
      f += index[i] * from.strides[i];
    }
    copy_element(to, t, from, f);
    size_t i = static_cast<size_t>(rank);
    while (i-- > 0 && ++index[i] == extents[i]) index[i] = 0;
    if (i == SIZE_MAX) return;
  }
}

}  // namespace hadal::machine
